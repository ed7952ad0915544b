/** A copy of what another process has open (pidfd_getfd(2), Linux 5.6). */
import { SystemCallError, systemCall } from "../layers/system-call.ts";

const open = systemCall("pidfd_open", ["long", "long"]);
const copy = systemCall("pidfd_getfd", ["long", "long", "long"]);
const close = systemCall("close", ["long"]);

/** Undefined when there is no such process, or it has nothing open under that number. */
export function descriptorOf(pid: number, number: number): number | undefined {
  const name = `process ${pid}`;
  try {
    const process = open(name, pid, 0);
    try {
      return copy(name, process, number, 0);
    } finally {
      close(name, process);
    }
  } catch (error) {
    if (error instanceof SystemCallError && ["ESRCH", "EBADF", "EPERM", "ENOSYS"].includes(error.code))
      return undefined;
    throw error;
  }
}
