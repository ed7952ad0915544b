/**
 * Learns of the end of a process, also of one that is nobody's child: it alone holds a FIFO open for writing, so the end
 * of file is its end, however it ended.
 */
import { closeSync, constants, openSync, readSync } from "node:fs";
import net from "node:net";

import { hasCode } from "@lydian/kit";

/** Calls `onGone` once, in a later turn, when nobody holds the FIFO open for writing; also when nobody does already. */
export function watchWriters(fifo: string, onGone: () => void): { close(): void } {
  const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  let pipe: net.Socket;
  try {
    // A poll says nothing about writers that went before the FIFO was opened; a read does.
    if (readAtOnce(fd) === 0) {
      closeSync(fd);
      const call = setImmediate(onGone);
      return { close: () => clearImmediate(call) };
    }
    pipe = new net.Socket({ fd, readable: true, writable: false });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  pipe.unref();
  pipe.once("end", onGone);
  pipe.on("error", onGone);
  pipe.resume();
  return {
    close() {
      pipe.off("end", onGone);
      pipe.off("error", onGone);
      pipe.on("error", () => {}); // nobody watches any more
      pipe.destroy();
    },
  };
}

/** How many bytes there are now, at most one; 0 also at the end of file. -1: there may come some. */
function readAtOnce(fd: number): number {
  try {
    return readSync(fd, Buffer.alloc(1));
  } catch (error) {
    if (hasCode(error, "EAGAIN")) return -1;
    throw error;
  }
}
