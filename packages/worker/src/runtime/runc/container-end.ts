/** How a container ended, from what conmon and the kernel say; pure. */
import { constants } from "node:os";

import type { ProcessEnd } from "../../container/exit.ts";

/**
 * The signals that can end the first process of a process namespace: the kernel's own for faults, and SIGKILL from
 * outside. All others reach it only if it handles them, so a code such as 143 is one that the program chose itself.
 */
const fatal = ["SIGKILL", "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS"] as const;

export interface EndFacts {
  /** As a shell would say it: 128 and the signal's number for a death by signal. Undefined: conmon was killed. */
  readonly exitCode: number | undefined;
  /** How many of its processes were killed for want of memory. */
  readonly oomKills: number;
  /** Its limit of memory, if it had one. */
  readonly memoryMib: number | undefined;
}

export function endOf({ exitCode, oomKills, memoryMib }: EndFacts): ProcessEnd {
  if (exitCode === undefined) {
    return { reason: "lost", message: "the process that kept it was killed; how the function ended is unknown" };
  }
  const signal = fatal.find((name) => constants.signals[name] === exitCode - 128);
  if (signal === "SIGKILL" && oomKills > 0) {
    return { reason: "outOfMemory", ...(memoryMib === undefined ? {} : { limitMib: memoryMib }) };
  }
  return signal === undefined ? { reason: "exited", code: exitCode } : { reason: "signaled", signal };
}
