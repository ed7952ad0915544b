/** The worker's protocol in the domain's words. */
import { worker } from "@lydian/contract";

import type { Exit, ExitReason } from "../domain/container.ts";

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
