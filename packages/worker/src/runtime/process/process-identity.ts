/** Names a process for good: a pid comes again, the same pid with the same start in the same boot does not. */
import { readFileSync } from "node:fs";

import { hasCode } from "@lydian/kit";

import { currentBoot } from "../../boot.ts";

export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks from boot to start. */
  startTicks: number;
  /** /proc/sys/kernel/random/boot_id */
  boot: string;
}

/** This process itself. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTicks: Number(statOf(process.pid)[19]), boot: currentBoot };
}

/** Whether the process still runs; one that has ended and that nobody has waited for does not. */
export function isRunning(identity: ProcessIdentity): boolean {
  if (identity.boot !== currentBoot) return false;
  try {
    const fields = statOf(identity.pid);
    return Number(fields[19]) === identity.startTicks && fields[0] !== "Z" && fields[0] !== "X";
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH")) return false;
    throw error;
  }
}

/** The name in parentheses may contain anything, so the fields are counted from its end; the first one is the state. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Signals the process, or its whole group where it leads one; nothing happens when it has ended. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals, whom: "process" | "group"): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(whom === "group" ? -identity.pid : identity.pid, signal);
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error; // it ended between the look and the signal
  }
}
