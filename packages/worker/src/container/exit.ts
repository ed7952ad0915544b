/** How a container ended, and what that is called on the wire. */
import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";

/** How a main process ended, as far as its runtime can tell. */
export type ProcessEnd =
  | { reason: "exited"; code: number }
  | { reason: "signaled"; signal: string }
  | { reason: "outOfMemory"; limitMib?: number }
  | { reason: "outOfDisk"; message: string }
  | { reason: "lost"; message: string };

/** How a container ended: its process by itself, or the worker's doing. */
export type ContainerExit = ProcessEnd | { reason: "stopped" } | { reason: "failedToStart"; message: string };

/** Completes "the command …" for people. */
export function describeEnd(end: ProcessEnd): string {
  switch (end.reason) {
    case "exited":
      return `exited with code ${end.code}`;
    case "signaled":
      return `was killed by ${end.signal}`;
    case "outOfMemory":
      return `ran out of memory${end.limitMib === undefined ? "" : `: its limit is ${end.limitMib} MiB`}`;
    case "outOfDisk":
      return `ran out of disk: ${end.message}`;
    case "lost":
      return `was lost: ${end.message}`;
  }
}

export function exitToWire(exit: ContainerExit): wire.Exit {
  switch (exit.reason) {
    case "exited":
      return create(wire.ExitSchema, { reason: wire.Exit_Reason.EXITED, code: exit.code });
    case "signaled":
      return create(wire.ExitSchema, { reason: wire.Exit_Reason.SIGNALED, signal: exit.signal });
    case "outOfMemory":
      return create(wire.ExitSchema, {
        reason: wire.Exit_Reason.OUT_OF_MEMORY,
        message:
          exit.limitMib === undefined
            ? ""
            : `its memory limit is ${exit.limitMib} MiB, which its function's option \`memory\` raises`,
      });
    case "outOfDisk":
      return create(wire.ExitSchema, { reason: wire.Exit_Reason.OUT_OF_DISK, message: exit.message });
    case "stopped":
      return create(wire.ExitSchema, { reason: wire.Exit_Reason.STOPPED });
    case "failedToStart":
      return create(wire.ExitSchema, { reason: wire.Exit_Reason.FAILED_TO_START, message: exit.message });
    case "lost":
      return create(wire.ExitSchema, { reason: wire.Exit_Reason.LOST, message: exit.message });
  }
}
