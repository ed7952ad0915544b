/** The worker's protocol in the domain's words. */
import { worker } from "@lydian/contract";

import { describeExit, type Exit, type ExitReason } from "../domain/container.ts";
import type { Outcome } from "../domain/image.ts";

const reasons: Record<number, ExitReason> = {
  [worker.Exit_Reason.EXITED]: "exited",
  [worker.Exit_Reason.SIGNALED]: "signaled",
  [worker.Exit_Reason.OUT_OF_MEMORY]: "outOfMemory",
  [worker.Exit_Reason.OUT_OF_DISK]: "outOfDisk",
  [worker.Exit_Reason.STOPPED]: "stopped",
  [worker.Exit_Reason.FAILED_TO_START]: "failedToStart",
  [worker.Exit_Reason.LOST]: "lost",
};

export function isGone(state: worker.ContainerState): boolean {
  return state.phase === worker.ContainerState_Phase.GONE;
}

/** Its files and packages are there, and its main process runs. */
export function isRunning(state: worker.ContainerState): boolean {
  return state.phase === worker.ContainerState_Phase.RUNNING;
}

export function exitOf(exit: worker.Exit | undefined): Exit {
  if (exit === undefined) return { reason: "lost", message: "its worker did not say how it ended" };
  const reason = reasons[exit.reason] ?? "lost";
  return {
    reason,
    code: exit.code,
    ...(exit.signal !== "" && { signal: exit.signal }),
    ...(exit.message !== "" && { message: exit.message }),
  };
}

/** What a build's end is for its image. */
export function outcomeOf(exit: worker.Exit | undefined): Outcome {
  if (exit?.reason === worker.Exit_Reason.TIMED_OUT) {
    return { kind: "failed", failure: { status: "timeout", message: exit.message } };
  }
  const told = exitOf(exit);
  switch (told.reason) {
    case "lost":
    case "stopped": // not by us, or nobody would look at it
      return { kind: "lost", reason: told.message ?? describeExit(told) };
    case "exited": {
      if (told.code !== 0)
        return failed(told.message ?? `A step ended with code ${told.code ?? 0}; the log says more.`);
      if (exit?.built === undefined) return failed("The worker did not say what it has made.");
      const { python, libc, workdir } = exit.built;
      return { kind: "built", built: { python, libc, workdir } };
    }
    case "signaled":
    case "outOfMemory":
    case "outOfDisk":
    case "failedToStart":
      return failed(`The build ${describeExit(told)}.`);
  }
}

function failed(message: string): Outcome {
  return { kind: "failed", failure: { status: "failure", message } };
}
