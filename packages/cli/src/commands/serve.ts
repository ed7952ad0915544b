/** `lydian serve`: runs an app until Ctrl-C, and puts it on the platform anew whenever one of its files is saved. */
import { join, resolve } from "node:path";

import { AppDisconnectReason } from "@lydian/contract";
import { systemClock } from "@lydian/kit";
import { Argument, Option } from "commander";
import type { Plan, RunningApp } from "lydian/publish";

import { type CliCommand, exitStatus } from "../command.ts";
import { FileWatch } from "../file-watch.ts";
import { publishReport } from "../publish-report.ts";
import { reportError } from "../report-error.ts";
import { StopSignals } from "../stop-signals.ts";
import type { Terminal } from "../terminal.ts";

interface ServeOptions {
  env?: string;
}

export const serve: CliCommand<ServeOptions> = {
  name: "serve",
  summary: "run an app in TypeScript while you work on it",
  description:
    "Runs the app until Ctrl-C. When a file of it is saved, what changed is sent: new requests and inputs go to new containers, " +
    "old ones finish what they have, and addresses stay. What is wrong in a file is said, and the version before goes on.",
  operands: [new Argument("<file>", "such as api.ts")],
  options: [new Option("-e, --env <environment>", "whose names are looked up").env("MODAL_ENVIRONMENT")],
  examples: [{ line: "lydian serve api.ts", effect: "serve it, and each version of it" }],
  run: async ({ env: environment }, terminal, [path = ""]) => {
    const { runApp } = await import("lydian/publish");
    const observer = publishReport(terminal, false);
    const plan = await load(path);
    using signals = new StopSignals(systemClock);
    const running = await runApp(plan.app, { observer, ...(environment !== undefined && { environment }) }, plan);
    try {
      await serveVersions(path, plan, running, { signals, terminal });
      return exitStatus.ok;
    } finally {
      await Promise.race([running.stop(AppDisconnectReason.KEYBOARD_INTERRUPT), signals.kill]);
    }
  },
};

async function load(path: string): Promise<Plan> {
  const { appOf, loadProgram, planOf } = await import("lydian/publish");
  const { exports, graph } = await loadProgram(resolve(path));
  return await planOf(appOf(exports, path), graph);
}

/** Until a signal says to stop. */
async function serveVersions(
  path: string,
  first: Plan,
  running: RunningApp,
  { signals, terminal }: { signals: StopSignals; terminal: Terminal },
): Promise<void> {
  let plan = first;
  /** What is wrong with the files as they are. */
  let failure: Error | undefined;
  for (;;) {
    // From before the report on: what is saved when somebody has read it is noticed.
    using watch = new FileWatch(filesOf(plan));
    if (failure === undefined) {
      for (const [name, url] of running.webUrls) terminal.print(`${name} answers at ${url}`);
      terminal.print(`Serving ${plan.app.name}; it changes as its files do`);
    } else {
      reportError(failure, terminal);
      terminal.report("The version before goes on");
    }
    const name = await Promise.race([watch.changed, signals.stop]);
    if (name === undefined) return;
    terminal.print(`${name} has changed`);
    try {
      const next = await load(path);
      await running.replace(next.app, next);
      plan = next;
      failure = undefined;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      failure = error;
    }
  }
}

/** Those of the program that lie on this machine. */
function filesOf({ graph: { root, modules }, beside }: Plan): string[] {
  return [...modules.map(({ path }) => path), ...beside].map((path) => join(root, path));
}
