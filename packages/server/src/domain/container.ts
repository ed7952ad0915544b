/** A container: one place on one worker where inputs of one function run. */
import type { Id } from "@lydian/kit";

import type { Gpus } from "./worker.ts";

/**
 * `assigned` to a worker that makes its files ready, `starting` from its process's start until it asks for inputs,
 * `ready` for them, `draining` takes no more of them, `gone` for ever.
 */
export type ContainerState = "assigned" | "starting" | "ready" | "draining" | "gone";

const moves: Record<ContainerState, readonly ContainerState[]> = {
  assigned: ["starting", "ready", "draining", "gone"],
  starting: ["ready", "draining", "gone"],
  ready: ["draining", "gone"],
  draining: ["gone"],
  gone: [],
};

export interface Container {
  id: Id<"ta">;
  functionId: Id<"fu">;
  /** Which definition of the function it runs. */
  definitionId: string;
  appId: Id<"ap">;
  workerId: string;
  state: ContainerState;
  /** The token of this assignment; whatever carries another one is ignored. */
  fence: string;
  milliCpu: number;
  memoryMib: number;
  /** Which accelerators of its worker it has. */
  gpus: Gpus | undefined;
  /** Inputs that it holds. */
  held: number;
  /** Inputs that it has finished. */
  finished: number;
  createdAt: number;
  readyAt: number | undefined;
  /** Since when it holds no input; until the first one, since its last move. */
  idleSince: number;
  /** When it is killed if it has not ended by then; set while draining. */
  killAt: number | undefined;
  goneAt: number | undefined;
  goneReason: string | undefined;
  /** Up to where its log is on disk, in the worker's measure. */
  logOffset: number;
}

/** What a container has besides the inputs that it holds, which stands in no database. */
export interface Load {
  containerId: string;
  functionId: string;
  requests: number;
  /** When it had the last one. */
  until: number;
}

export type ExitReason = "exited" | "signaled" | "outOfMemory" | "outOfDisk" | "stopped" | "failedToStart" | "lost";

export interface Exit {
  reason: ExitReason;
  code?: number;
  signal?: string;
  message?: string;
}

export function mayMove(from: ContainerState, to: ContainerState): boolean {
  return moves[from].includes(to);
}

export function takesInputs(state: ContainerState): boolean {
  return state === "ready" || state === "starting" || state === "assigned";
}

/**
 * Whether the container's end speaks against the function. What the platform stopped or lost does not; nor does an
 * exit with code 0 of a container that was told to end, or that has done the only input that it takes.
 */
export function isCrash({ state, held, killAt }: Pick<Container, "state" | "held" | "killAt">, exit: Exit): boolean {
  switch (exit.reason) {
    case "stopped":
    case "lost":
      return false;
    case "exited":
      return state !== "draining" || exit.code !== 0 || (held > 0 && killAt === undefined);
    case "signaled":
    case "outOfMemory":
    case "outOfDisk":
    case "failedToStart":
      return true;
  }
}

/** A phrase that completes "the container …". */
export function describeExit(exit: Exit): string {
  switch (exit.reason) {
    case "exited":
      return `exited with code ${exit.code ?? 0}`;
    case "signaled":
      return `was killed by ${exit.signal ?? "a signal"}`;
    case "outOfMemory":
      return `ran out of memory${exit.message === undefined ? "" : ` (${exit.message})`}`;
    case "outOfDisk":
      return `ran out of disk${exit.message === undefined ? "" : ` (${exit.message})`}`;
    case "stopped":
      return "was stopped";
    case "failedToStart":
      return `could not be started: ${exit.message ?? "no reason is known"}`;
    case "lost":
      return `was lost${exit.message === undefined ? "" : `: ${exit.message}`}`;
  }
}
