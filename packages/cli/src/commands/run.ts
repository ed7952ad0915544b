/** `lydian run`: runs an app that is written in TypeScript, for as long as its entrypoint or its function takes. */
import { resolve } from "node:path";
import { inspect } from "node:util";

import { AppDisconnectReason } from "@lydian/contract";
import { messageOf, systemClock } from "@lydian/kit";
import { Argument, Option } from "commander";
import type { Func } from "lydian";
import type { Program, RunningApp } from "lydian/publish";

import { type CliCommand, exitStatus, UsageError } from "../command.ts";
import { flagLines, parseArguments, parseFlags } from "../flags.ts";
import { publishReport } from "../publish-report.ts";
import { reportFailure } from "../report-error.ts";
import { checkedFlags, parseSchemaFlags, schemaFlagLines } from "../schema-flags.ts";
import { StopSignals } from "../stop-signals.ts";
import { describeOwn, describeRefusal, describeRemote, type Thrown } from "../thrown.ts";
import { StrayRejections } from "../stray-rejections.ts";
import type { Terminal } from "../terminal.ts";

interface RunOptions {
  detach?: boolean;
  quiet?: boolean;
  env?: string;
}

/** What a shell says of a program that Ctrl-C has ended. */
const interrupted = 130;

export const run: CliCommand<RunOptions> = {
  name: "run",
  summary: "run an app that is written in TypeScript",
  description:
    "Runs the local entrypoint that a file exports, or the function that is named, while the app is on the platform. What " +
    "follows the file is the program's own: flags of the entrypoint (--help lists them), or arguments of the function, as " +
    "JSON or else as text.",
  operands: [
    new Argument("<file>", "such as hello.ts, or hello.ts::main for one of several things that it exports"),
    new Argument("[arguments...]", "the program's own"),
  ],
  passesOn: true,
  options: [
    new Option("-d, --detach", "leave the app running when this ends"),
    new Option("-q, --quiet", "print nothing but what the program prints, warnings and errors"),
    new Option("-e, --env <environment>", "whose names are looked up").env("MODAL_ENVIRONMENT"),
  ],
  examples: [
    { line: "lydian run hello.ts --name Ada", effect: "its entrypoint, with a flag" },
    { line: "lydian run math.ts::add 1 2", effect: "one function, with two arguments" },
  ],
  run: async (options, terminal, [reference = "", ...args]) => {
    const [path = "", name] = reference.split("::", 2);
    const { loadProgram } = await import("lydian/publish");
    const program = await loadProgram(resolve(path));
    const runnable = await choose(program, path, name);
    if (args.includes("--help") || args.includes("-h")) {
      const { takes, help } = runnable;
      terminal.print([`Usage: lydian run ${reference} ${takes}`, ...help].join("\n"));
      return exitStatus.ok;
    }
    return await runWith(runnable, await runnable.read(args), options, terminal, program, path);
  },
};

/** Something to run, and how its command line is read. */
interface Runnable {
  readonly takes: "[flags]" | "[arguments...]";
  /** Lines about those. */
  readonly help: readonly string[];
  readonly read: (args: readonly string[]) => unknown[] | Promise<unknown[]>;
  readonly start: (values: unknown[], terminal: Terminal) => Promise<void>;
}

async function choose({ exports }: Program, path: string, name: string | undefined): Promise<Runnable> {
  const { definitionOf } = await import("lydian/publish");
  const found = Object.entries(exports).flatMap(([key, value]) => {
    const definition = definitionOf(value);
    return definition === undefined ? [] : [{ key, value, definition }];
  });
  const named = found.filter(({ key, definition }) => key === name || definition.name === name);
  const entrypoints = found.filter(({ definition }) => definition.kind === "entrypoint");
  const functions = found.filter(({ definition }) => definition.kind === "function" && definition.web === undefined);
  const usual = [entrypoints, functions, found].find(({ length }) => length > 0) ?? [];
  const candidates = name !== undefined ? named : usual;
  const [only, ...others] = candidates;
  const list = found.map(({ key }) => `${path}::${key}`).join(", ") || "nothing";
  if (only === undefined) {
    throw new UsageError(
      name === undefined ? `${path} exports nothing that can be run` : `${path} exports no ${name} that can be run`,
      {
        hint: `it exports ${list}`,
      },
    );
  }
  if (others.length > 0)
    throw new UsageError(`${path} exports several things that can be run`, { hint: `name one: ${list}` });
  const { key, value, definition } = only;
  if (definition.kind === "class" || definition.web !== undefined) {
    throw new UsageError(
      `${key} is a ${definition.kind === "class" ? "class" : "web function"}, which is not run by itself`,
      {
        hint:
          definition.kind === "class"
            ? "call its methods in an entrypoint: app.localEntrypoint(async () => …)"
            : `lydian serve ${path} serves it while you work on it`,
      },
    );
  }
  if (definition.kind === "function") {
    return {
      takes: "[arguments...]",
      help: ["  the function's own, one after the other: each as JSON, or else as text"],
      read: parseArguments,
      start: (values, terminal) => callFunction(value as Func, values, terminal),
    };
  }
  const handler = definition.handler as (flags: unknown) => unknown;
  const start: Runnable["start"] = async ([flags]) => void (await handler(flags));
  const { schema } = definition;
  if (schema !== undefined) {
    return {
      takes: "[flags]",
      help: schemaFlagLines(schema),
      read: async (args) => [await checkedFlags(schema, parseSchemaFlags(schema, args))],
      start,
    };
  }
  const { fields } = value as { fields: Parameters<typeof parseFlags>[0] };
  return { takes: "[flags]", help: flagLines(fields), read: (args) => [parseFlags(fields, args)], start };
}

async function callFunction(func: Func, values: unknown[], terminal: Terminal): Promise<void> {
  const show = (value: unknown): void =>
    terminal.print(typeof value === "string" ? value : inspect(value, { depth: 6 }));
  const result: unknown = func.remote(...(values as never[]));
  if (typeof result === "object" && result !== null && Symbol.asyncIterator in result) {
    for await (const item of result as AsyncIterable<unknown>) show(item);
    return;
  }
  const value: unknown = await result;
  if (value !== undefined) show(value);
}

async function runWith(
  runnable: Runnable,
  values: unknown[],
  { detach = false, quiet = false, env: environment }: RunOptions,
  terminal: Terminal,
  { exports, graph }: Program,
  path: string,
): Promise<number> {
  const { appOf, planOf, runApp } = await import("lydian/publish");
  const app = appOf(exports, path);
  const observer = publishReport(terminal, quiet);
  const plan = await planOf(app, graph);
  using signals = new StopSignals(systemClock);
  const options = { detach, observer, ...(environment !== undefined && { environment }) };
  const running = await runApp(app, options, plan);
  if (!quiet) terminal.report(`${terminal.paintReport("green", "✓")} Running at ${running.url}`);
  for (const [name, url] of running.webUrls)
    terminal.report(`${terminal.paintReport("green", "✓")} ${name} answers at ${url}`);
  // To this process's end: what a program has left behind may fail when all else is over.
  const strays = new StrayRejections();
  const work = runnable.start(values, terminal).then(() => "done" as const);
  try {
    const how = await Promise.race([work, signals.stop.then(() => "interrupted" as const), strays.first]);
    if (how === "interrupted") {
      strays.leaveTo(() => {}); // what it waits for ends with the app
      return await interrupt(running, work, signals, terminal);
    }
    const left = new Set<unknown>();
    strays.leaveTo((error) => {
      left.add(error);
      process.exitCode = exitStatus.error; // for one that comes when this has returned
      reportLeft(error, left.size, terminal);
    });
    await running.stop(AppDisconnectReason.ENTRYPOINT_COMPLETED);
    if (!quiet && left.size === 0)
      terminal.report(`${terminal.paintReport("green", "✓")} ${detach ? "Left running" : "Completed"}`);
    return left.size > 0 ? exitStatus.error : exitStatus.ok;
  } catch (error) {
    strays.leaveTo(() => {}); // the first one is said
    await running.stop(AppDisconnectReason.LOCAL_EXCEPTION, error);
    return await reportThrown(error, terminal);
  }
}

async function interrupt(
  running: RunningApp,
  work: Promise<unknown>,
  signals: StopSignals,
  terminal: Terminal,
): Promise<number> {
  terminal.report("Stopping …");
  work.catch(() => {}); // what it waits for ends with the app
  await Promise.race([running.stop(AppDisconnectReason.KEYBOARD_INTERRUPT), signals.kill]);
  return interrupted;
}

/** A call that nobody awaits ends with its app; said once, however many there are. */
function reportLeft(error: unknown, count: number, terminal: Terminal): void {
  const text = messageOf(error);
  if (!text.startsWith("The app was stopped")) return reportFailure(text, undefined, terminal);
  if (count > 1) return;
  reportFailure("a call had not finished when the entrypoint returned, and ended with its app", awaitHint, terminal);
}

const awaitHint = "await what `remote` answers, or leave the call to the platform: `spawn`, and `lydian run --detach`";

/** What the user's own code throws is shown with its stack: of a remote one where that ran. */
async function reportThrown(error: unknown, terminal: Terminal): Promise<number> {
  const { LydianError, RemoteError } = await import("lydian");
  const describe = (): Thrown => {
    if (error instanceof RemoteError) return describeRemote(error);
    return error instanceof LydianError ? describeRefusal(error) : describeOwn(error);
  };
  const { text, hint, below } = describe();
  reportFailure(text, hint, terminal, below);
  return exitStatus.error;
}
