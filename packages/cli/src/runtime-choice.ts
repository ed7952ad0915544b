/** What runs functions: containers, or plain processes where somebody has said so; and whether this machine can. */
import { PlatformError } from "@lydian/kit";
import {
  type HostFinding,
  probeDisk,
  probeHost,
  type RegistrySettings,
  whatStandsInTheWay,
  type WorkerConfigInput,
} from "@lydian/worker";

import { findPython } from "./checks/programs.ts";
import { type DataLayout, isRoot } from "./paths.ts";
import type { Terminal } from "./terminal.ts";

export const runtimeNames = ["runc", "process"] as const;
export type RuntimeName = (typeof runtimeNames)[number];

/** Of whoever does not choose. */
export const usualRuntime: RuntimeName = "runc";

export interface RuntimeWish {
  readonly runtime: RuntimeName;
  /** Where base images are pulled from; undefined: they are made on this machine. */
  readonly registry: RegistrySettings | undefined;
  /** Whether builds inherit this machine's package settings. */
  readonly packageSettings: boolean;
  /** What containers leave free on the data folder's disk; undefined: the worker's own default. */
  readonly diskReserveMib: number | undefined;
  /** How many warm starters wait, of each kind. */
  readonly starters: number;
  /** Stores that buckets may be mounted of though containers do not reach them. */
  readonly stores: readonly string[];
}

/** Answers how the worker is to run functions, and says what will be amiss; throws when this machine cannot run them. */
export async function settleRuntime(
  { runtime, registry, packageSettings, diskReserveMib, starters, stores }: RuntimeWish,
  layout: DataLayout,
  terminal: Terminal,
): Promise<WorkerConfigInput["runtime"]> {
  if (runtime === "process") {
    reportProcesses(terminal);
    const [python, disk] = await Promise.all([findPython(), probeDisk(layout.root)]);
    refuseUnlessPossible([python, disk.finding]);
    reportWarnings([disk.finding], terminal);
    return { name: "process" };
  }
  const [python, host] = await Promise.all([findPython(), probeHost({ data: layout.worker })]);
  refuseUnlessPossible([python], host.findings);
  reportWarnings(host.findings, terminal);
  const { runc, conmon, tini, rclone } = host;
  return {
    name: "runc",
    runc: runc?.path ?? "runc",
    conmon: conmon?.path ?? "conmon",
    tini: tini?.path ?? "tini-static",
    userNamespaces: host.userNamespaces && host.idMaps,
    starters,
    packageSettings,
    stores: [...stores],
    ...(rclone !== undefined && { rclone }),
    ...(registry !== undefined && { registry }),
    ...(diskReserveMib !== undefined && { diskReserveMib }),
  };
}

/**
 * Says all that is missing; isolation is never given up silently. `always` was found about what every function needs,
 * `forContainers` about what only containers need.
 */
export function refuseUnlessPossible(always: readonly HostFinding[], forContainers: readonly HostFinding[] = []): void {
  const blocking = whatStandsInTheWay([...always, ...forContainers]);
  if (blocking.length === 0) return;
  const lines = blocking.flatMap(({ name, detail, remedy }) => [
    `  ${name}: ${detail}`,
    ...(remedy === undefined ? [] : [`    -> ${remedy}`]),
  ]);
  const processesCan = whatStandsInTheWay(always).length === 0;
  const what = processesCan ? "containers" : "functions";
  throw new PlatformError(`${what} cannot run on this machine\n${lines.join("\n")}`, {
    hint: processesCan
      ? "see to that, or run functions as plain processes, without isolation: lydian up --runtime process"
      : "see to that; `lydian doctor` looks at all that is needed",
  });
}

function reportWarnings(findings: readonly HostFinding[], terminal: Terminal): void {
  for (const { name, state, detail, remedy } of findings) {
    if (state !== "warning") continue;
    terminal.report(terminal.paintReport("yellow", `${name}: ${detail}`));
    if (remedy !== undefined) terminal.report(terminal.paintReport("dim", `-> ${remedy}`));
  }
}

/** A runtime without isolation is never chosen silently. */
function reportProcesses(terminal: Terminal): void {
  const rights = isRoot() ? "with root's rights" : "with this user's rights";
  terminal.report(
    terminal.paintReport("yellow", `Runtime "process": functions run on this machine ${rights} and without isolation.`),
  );
  terminal.report("Run only code that you trust; --runtime runc runs functions in containers.");
}
