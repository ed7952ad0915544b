/** `lydian shell`: a shell in a container, of a function as its file has it now, or of one that runs. */
import { resolve } from "node:path";

import { AppDisconnectReason, operator } from "@lydian/contract";
import { isId, PlatformError, systemClock } from "@lydian/kit";
import { Argument, Option } from "commander";
import type { Plan, RunningApp } from "lydian/publish";

import { type CliCommand, exitStatus, UsageError } from "../command.ts";
import { runInContainer } from "../container-command.ts";
import { publishReport } from "../publish-report.ts";
import { StopSignals } from "../stop-signals.ts";

interface ShellOptions {
  cmd: string;
  env?: string;
}

/** Until a container is ready, in milliseconds. */
const patienceMs = 10 * 60_000;

export const shell: CliCommand<ShellOptions> = {
  name: "shell",
  summary: "a shell in a container of a function",
  description:
    "Starts a container of the function that is named, with its image, files, secrets, volumes and resources, and a shell in " +
    "it, for as long as that runs. With the id of a container, a shell in that one. Where stdin is no terminal, what comes " +
    "there is the shell's input.",
  operands: [new Argument("<what>", "such as hello.ts, hello.ts::greet for one of several functions, or ta-…")],
  options: [
    new Option("-c, --cmd <command>", "what runs there").default(
      "if command -v bash >/dev/null; then exec bash; else exec sh; fi",
    ),
    new Option("-e, --env <environment>", "whose names are looked up").env("MODAL_ENVIRONMENT"),
  ],
  examples: [
    { line: "lydian shell train.ts::fit", effect: "look around where fit runs" },
    { line: 'lydian shell train.ts --cmd "node --version"', effect: "one command" },
    { line: "lydian shell ta-01ABC", effect: "in a container that runs" },
  ],
  run: async ({ cmd, env: environment }, terminal, [what = ""]) => {
    const { Client } = await import("lydian");
    const client = Client.usual();
    const command = ["/bin/sh", "-c", cmd];
    const streams = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: terminal.env };
    if (isId("ta", what)) return await runInContainer(client, what, command, streams);
    const plan = await planOfOne(what);
    const { runApp } = await import("lydian/publish");
    using signals = new StopSignals(systemClock);
    const observer = publishReport(terminal, false);
    const running = await runApp(plan.app, { observer, ...(environment !== undefined && { environment }) }, plan);
    try {
      const stopped = signals.stop.then(() => undefined);
      const container = await Promise.race([startedIn(client, running, plan), stopped]);
      if (container === undefined) return exitStatus.error;
      terminal.report(`${terminal.paintReport("green", "✓")} A shell in ${container}`);
      return (await Promise.race([runInContainer(client, container, command, streams), stopped])) ?? exitStatus.error;
    } finally {
      await Promise.race([running.stop(AppDisconnectReason.ENTRYPOINT_COMPLETED), signals.kill]);
    }
  },
};

/** A plan of that function alone, of which one container is to be there. */
async function planOfOne(reference: string): Promise<Plan> {
  const { appOf, loadProgram, planOf } = await import("lydian/publish");
  const [path = "", name] = reference.split("::", 2);
  const { exports, graph } = await loadProgram(resolve(path));
  const plan = await planOf(appOf(exports, path), graph);
  const [only, ...others] = plan.definitions.filter((each) => name === undefined || each.name === name);
  const list = plan.definitions.map((each) => `${path}::${each.name}`).join(", ");
  if (only === undefined) throw new UsageError(`${path} has no function ${name}`, { hint: `it has ${list}` });
  if (others.length > 0) throw new UsageError(`${path} has several functions`, { hint: `name one: ${list}` });
  const { schedule: _, minContainers: __, maxContainers: ___, ...options } = only.options;
  return { ...plan, definitions: [{ ...only, options: { ...options, minContainers: 1 } }] };
}

/** The container's id, once its code is loaded. */
async function startedIn(
  client: import("lydian").Client,
  { appId }: RunningApp,
  { definitions: [only] }: Plan,
): Promise<string> {
  const options = { timeoutMs: patienceMs };
  for await (const { containers } of client.follow(operator.Operators.method.getStatus, { follow: true }, options)) {
    const found = containers.find((each) => each.appId === appId && each.state === "ready");
    if (found !== undefined) return found.containerId;
  }
  throw new PlatformError(`no container of ${only?.name} was ready within ${patienceMs / 60_000} minutes`, {
    hint: "what it printed says why",
  });
}
