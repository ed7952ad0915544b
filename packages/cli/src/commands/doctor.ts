/** `lydian doctor`: says for each thing that the platform needs whether this machine has it, and what to do if not. */
import { resolve } from "node:path";

import { PlatformError } from "@lydian/kit";
import { placesOf, publicRegistry, type RegistrySettings } from "@lydian/worker";
import { Option } from "commander";

import type { Check, FindingState, HostFinding } from "../checks/check.ts";
import { contentCheck } from "../checks/content.ts";
import { hostCheck } from "../checks/host.ts";
import { layersCheck } from "../checks/layers.ts";
import { answerCheck, portCheck, profileCheck } from "../checks/platform.ts";
import { nodeCheck, packageIndexCheck, pythonCheck, registryCheck } from "../checks/programs.ts";
import { dataFolderCheck, diskCheck } from "../checks/storage.ts";
import { type CliCommand, exitStatus } from "../command.ts";
import { clientConfigFile, defaultCacheFolder, layoutOf } from "../paths.ts";
import type { RuntimeName } from "../runtime-choice.ts";
import type { Terminal } from "../terminal.ts";
import { dataOption, noRegistry, parsePort, registryOption, runtimeOption } from "./options.ts";

export interface DoctorOptions {
  data?: string;
  port: number;
  runtime: RuntimeName;
  registry: RegistrySettings | typeof noRegistry;
  deep?: boolean;
  json?: boolean;
}

export const doctor: CliCommand<DoctorOptions> = {
  name: "doctor",
  summary: "check what this machine needs to run the platform",
  description:
    "Looks at everything that the platform needs and says what is missing and what to do about it. " +
    "Changes nothing. Ends with 0 when nothing is missing (warnings do not count), else with 1.",
  options: [
    dataOption(),
    new Option("--port <port>", "the port that the platform is to have").default(8700).argParser(parsePort),
    runtimeOption(),
    registryOption(),
    new Option(
      "--deep",
      "also read all layers of images, and all that the server has stored, and compare them with what they were",
    ),
    new Option("--json", "print the findings as JSON"),
  ],
  examples: [
    { line: "lydian doctor", effect: "check this machine" },
    { line: "lydian doctor --runtime process", effect: "only what is needed without containers" },
    { line: "lydian doctor --deep", effect: "layers and stored files, too: takes as long as reading them does" },
    { line: "lydian doctor --json", effect: "the same, for programs" },
  ],
  run: (options, terminal) => examine(checksFor(options, terminal.env), options, terminal),
};

function checksFor(options: DoctorOptions, env: NodeJS.ProcessEnv): Check[] {
  const layout = layoutOf(options.data, env);
  const forContainers = [
    hostCheck(layout),
    registryCheck(options.registry === noRegistry ? undefined : placesOf(options.registry, publicRegistry)[0]),
  ];
  return [
    nodeCheck(),
    pythonCheck(),
    packageIndexCheck(env),
    dataFolderCheck(layout),
    ...(options.runtime === "runc" ? forContainers : [diskCheck(layout)]),
    portCheck(layout, "127.0.0.1", options.port),
    profileCheck(layout, resolve(clientConfigFile(env))),
    answerCheck(layout),
    ...(options.deep === true ? [layersCheck(defaultCacheFolder(env)), contentCheck(layout, env)] : []),
  ];
}

/** Runs all checks at the same time and prints what they found in their order; answers the exit status. */
export async function examine(
  checks: readonly Check[],
  options: { json?: boolean },
  terminal: Terminal,
): Promise<number> {
  const run = async (): Promise<HostFinding[]> => (await Promise.all(checks.map(outcomeOf))).flat();
  const findings = await terminal.step("Looking at this machine", run);
  const isComplete = findings.every(({ state }) => state !== "missing");
  if (options.json === true) {
    terminal.print(JSON.stringify({ ok: isComplete, findings }, undefined, 2));
  } else {
    const width = Math.max(...findings.map(({ name }) => name.length));
    for (const { name, state, detail, remedy } of findings) {
      terminal.print(`${terminal.paint(styles[state], state.padEnd(8))} ${name.padEnd(width)}  ${detail}`);
      if (remedy !== undefined) terminal.print(`${" ".repeat(9 + width)}  ${terminal.paint("dim", `-> ${remedy}`)}`);
    }
  }
  return isComplete ? exitStatus.ok : exitStatus.error;
}

const styles: Record<FindingState, Parameters<Terminal["paint"]>[0]> = {
  ok: "green",
  warning: "yellow",
  missing: "red",
};

/** A check that people can act on failed: that is a finding too. Others are faults and end the command. */
async function outcomeOf(check: Check): Promise<readonly HostFinding[]> {
  const { name } = check;
  try {
    const found = await check.run();
    return "state" in found ? [{ name, ...found }] : found;
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const remedy = error.hint === undefined ? {} : { remedy: error.hint };
    return [{ name, state: "missing", detail: error.message, ...remedy }];
  }
}
