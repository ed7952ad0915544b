/** Follows a container's log from an offset: batches as large as the reader is slow, at once when it is idle. */
import { watch } from "node:fs";
import { open } from "node:fs/promises";

import { type LogLine, parseRecords } from "./log-format.ts";

/** A piece of the log; the next one begins where it ends. */
export interface LogBatch {
  offset: number;
  endOffset: number;
  lines: LogLine[];
}

/** The most that is read at once, and so about the most that a batch holds. Records are far shorter. */
const readSize = 64 * 1024;

/**
 * Yields what is in the log from `offset` on, then what is appended. The reader's pace is the writer's: nothing is read
 * while a batch is being worked on. Returns when `signal` aborts, or when `ended` has and all was yielded.
 */
export async function* followLog(
  file: string,
  offset: number,
  options: { ended: AbortSignal; signal: AbortSignal },
): AsyncGenerator<LogBatch, void, undefined> {
  const { ended, signal } = options;
  const bell = new Bell();
  await using handle = await open(file, "r");
  const watcher = watch(file, { persistent: false }, bell.ring);
  // The file system tells nothing any more; what was written is still read when the container ends.
  watcher.on("error", bell.ring);
  ended.addEventListener("abort", bell.ring);
  signal.addEventListener("abort", bell.ring);
  try {
    const buffer = Buffer.allocUnsafe(readSize);
    for (let position = offset; !signal.aborted;) {
      const last = ended.aborted; // looked at before the read, so that nothing written before the end is missed
      bell.reset();
      const { bytesRead } = await handle.read(buffer, 0, readSize, position);
      const { lines, length } = parseRecords(buffer.subarray(0, bytesRead));
      // A record that fills the buffer is none of ours: it is passed over, or it would hold up the rest for ever.
      const taken = length === 0 && bytesRead === readSize ? bytesRead : length;
      if (lines.length > 0) yield { offset: position, endOffset: position + taken, lines };
      position += taken;
      if (taken > 0) continue;
      if (last) return;
      await bell.rung();
    }
  } finally {
    watcher.close();
    ended.removeEventListener("abort", bell.ring);
    signal.removeEventListener("abort", bell.ring);
  }
}

/** One waiter's bell: a ring that comes before the wait is not lost. */
class Bell {
  #rung = Promise.withResolvers<void>();

  readonly ring = (): void => this.#rung.resolve();

  reset(): void {
    this.#rung = Promise.withResolvers();
  }

  rung(): Promise<void> {
    return this.#rung.promise;
  }
}
