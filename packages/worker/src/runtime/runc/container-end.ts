/** How a container ended, from what conmon and the kernel say; pure. */
import { constants } from "node:os";

import type { ProcessEnd } from "../../container/exit.ts";

/** What these do where they are not handled is nothing, or to stop a process: none ends by them. */
const harmless = new Set(["SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH"]);

const fatal = Object.entries(constants.signals).filter(([name]) => !harmless.has(name));

export interface EndFacts {
  /**
   * As a shell would say it: 128 and the signal's number for a death by signal, which a program that chooses such a code
   * is taken for. Undefined: conmon was killed.
   */
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
  const signal = fatal.find(([, number]) => number === exitCode - 128)?.[0];
  if (signal === "SIGKILL" && oomKills > 0) {
    return { reason: "outOfMemory", ...(memoryMib === undefined ? {} : { limitMib: memoryMib }) };
  }
  return signal === undefined ? { reason: "exited", code: exitCode } : { reason: "signaled", signal };
}
