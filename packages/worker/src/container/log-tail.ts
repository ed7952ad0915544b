/** Follows a container's log from an offset: batches as large as the reader is slow, at once when it is idle. */
import { watch } from "node:fs";
import { open } from "node:fs/promises";

import type { Clock } from "@lydian/kit";

import { beforeOpenLine, joinParts, type LogLine, parseRecords } from "./log-format.ts";
import { type FloodLimits, LogFlood } from "./log-flood.ts";

/** A piece of the log; the next one begins where it ends. */
export interface LogBatch {
  offset: number;
  endOffset: number;
  lines: LogLine[];
}

/** The most that is read at once, and so about the most that a batch holds. Records are far shorter. */
const readSize = 64 * 1024;

/**
 * A program writes a line in parts, and its keeper may read between two of them. What comes of other containers between
 * two batches would get into the middle of the line, so a batch ends with one, unless its rest takes longer than this.
 */
const restMs = 100;

/**
 * Of a container with a terminal, what is printed comes as it is printed, in whatever parts: whoever types waits for its echo.
 *
 * Yields what is in the log from `offset` on, then what is appended. The reader's pace is the writer's: nothing is read
 * while a batch is being worked on. Returns when `signal` aborts, or when `ended` has and all was yielded.
 */
export async function* followLog(
  file: string,
  offset: number,
  options: { clock: Clock; ended: AbortSignal; signal: AbortSignal; isTerminal?: boolean; limits?: FloodLimits },
): AsyncGenerator<LogBatch, void, undefined> {
  const { clock, ended, signal, isTerminal = false, limits } = options;
  const bell = new Bell();
  const flood = new LogFlood(clock, limits);
  await using handle = await open(file, "r");
  // What is there already may have been sent before, in parts: it comes in the same parts, so that none comes twice.
  const sentBefore = (await handle.stat()).size;
  const watcher = watch(file, { persistent: false }, bell.ring);
  // The file system tells nothing any more; what was written is still read when the container ends.
  watcher.on("error", bell.ring);
  ended.addEventListener("abort", bell.ring);
  signal.addEventListener("abort", bell.ring);
  try {
    const buffer = Buffer.allocUnsafe(readSize);
    let openUntil: number | undefined;
    for (let position = offset; !signal.aborted;) {
      const last = ended.aborted; // looked at before the read, so that nothing written before the end is missed
      bell.reset();
      const { bytesRead } = await handle.read(buffer, 0, readSize, position);
      const isFull = bytesRead === readSize;
      const behind = isFull ? (await handle.stat()).size - position : bytesRead;
      const dropped = flood.drop(buffer.subarray(0, bytesRead), position, behind);
      if (dropped > 0) {
        position += dropped;
        continue;
      }
      const notice = flood.notice(position);
      if (notice !== undefined) yield notice;
      const all = parseRecords(buffer.subarray(0, bytesRead));
      const isLate = last || isTerminal || (openUntil !== undefined && clock.now() >= openUntil);
      let { lines, length } = isLate ? all : beforeOpenLine(all);
      if (length === 0 && isFull) ({ lines, length } = all);
      // A record that fills the buffer is none of ours: it is passed over, or it would hold up the rest for ever.
      const taken = length === 0 && isFull ? bytesRead : length;
      if (lines.length > 0) {
        const parts = position < sentBefore ? lines : joinParts(lines);
        yield { offset: position, endOffset: position + taken, lines: parts };
      }
      position += taken;
      flood.taken(taken);
      if (taken > 0) {
        openUntil = undefined;
        continue;
      }
      if (last) return;
      if (all.length > 0) openUntil ??= clock.now() + restMs;
      using _timer = openUntil === undefined ? undefined : clock.timer(openUntil - clock.now(), bell.ring);
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
