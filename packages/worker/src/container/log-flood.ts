/**
 * A container that prints without end: beyond a rate its records are dropped, counted, and told in a line of the log; and so they
 * are when more of them waits than may come at once, because the server is slow, or was away. So a container neither takes the
 * server's time from others nor fills a disk, and all that programs print who want to be read goes through.
 */
import type { Clock } from "@lydian/kit";

import type { LogBatch } from "./log-tail.ts";

export interface FloodLimits {
  /** Of the log's records, each of which has some 45 beside its text. */
  bytesPerSecond: number;
  /** What may come at once, after a silence; and the most that waits. */
  burstBytes: number;
}

/** About 80,000 short lines in a second. */
const usual: FloodLimits = { bytesPerSecond: 8 * 2 ** 20, burstBytes: 64 * 2 ** 20 };

/** Dropping goes on for so long at a time, so that there is a notice in a second and not one in each batch. */
const dropMs = 1_000;

const newline = 0x0a;

export class LogFlood {
  readonly #clock: Clock;
  readonly #limits: FloodLimits;
  /** What may still come now, in bytes; as of `#at`. */
  #left: number;
  #at: number;
  #dropped: { from: number; since: number; lines: number; bytes: number } | undefined;

  constructor(clock: Clock, limits = usual) {
    this.#clock = clock;
    this.#limits = limits;
    this.#left = limits.burstBytes;
    this.#at = clock.now();
  }

  /** So much of the log was passed on. */
  taken(bytes: number): void {
    this.#left -= bytes;
  }

  /**
   * How many of these bytes, which stand at `position` in the log, are to be passed over: whole records, or none. `behind` is how
   * much there is of the log from there on.
   */
  drop(bytes: Buffer, position: number, behind: number): number {
    const { bytesPerSecond, burstBytes } = this.#limits;
    const now = this.#clock.now();
    this.#left = Math.min(burstBytes, this.#left + (bytesPerSecond * (now - this.#at)) / 1000);
    this.#at = now;
    const mayWait = this.#dropped === undefined ? burstBytes : burstBytes / 4;
    const isDropping = this.#dropped !== undefined && now - this.#dropped.since < dropMs && this.#left <= 0;
    const length = bytes.lastIndexOf(newline) + 1;
    if (length === 0 || (!isDropping && this.#left > 0 && behind <= mayWait)) return 0;
    this.#dropped ??= { from: position, since: now, lines: 0, bytes: 0 };
    this.#dropped.lines += countLines(bytes.subarray(0, length));
    this.#dropped.bytes += length;
    return length;
  }

  /** What is to be said of what was dropped, up to this position in the log, before anything else is. */
  notice(position: number): LogBatch | undefined {
    if (this.#dropped === undefined) return undefined;
    const { from, lines, bytes } = this.#dropped;
    this.#dropped = undefined;
    const rate = this.#limits.bytesPerSecond / 2 ** 20;
    const mebibytes = (bytes / 2 ** 20).toFixed(1);
    const text = `${lines} lines (${mebibytes} MiB) were dropped: a container may print ${rate} MiB in a second\n`;
    const timeMs = this.#clock.now();
    const line = { stream: "system", timeMs, data: Buffer.from(text), size: position - from } as const;
    return { offset: from, endOffset: position, lines: [line] };
  }
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) count++;
  return count;
}
