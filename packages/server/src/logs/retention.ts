/** How long logs are kept, and how much of them: the oldest segments go, by age, by what one log takes, by what all take. */
import type { Clock, Logger, Timer } from "@lydian/kit";

import type { Limits, Times } from "../config.ts";
import type { LogBook, Segment } from "./log-book.ts";

export interface LogRetentionDeps {
  clock: Clock;
  log: Logger;
  logBook: Pick<LogBook, "ids" | "segments" | "drop" | "onFull">;
  times: Pick<Times, "logKept">;
  limits: Pick<Limits, "appLogMib" | "logsMib">;
  /** Undefined while somebody copies the data. */
  lockRemovals: () => Disposable | undefined;
}

export interface Kept {
  /** What was written last before this time goes, in milliseconds since the epoch. */
  since: number;
  oneBytes: number;
  allBytes: number;
}

/** Between two rounds for the age of logs, and from a full segment to the next round. */
const roundMs = 3_600_000;
const fullMs = 2_000;

const mebibyte = 2 ** 20;

export class LogRetention {
  readonly #deps: LogRetentionDeps;
  #timer: Timer | undefined;
  #at = Number.POSITIVE_INFINITY;
  #round: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(deps: LogRetentionDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#deps.logBook.onFull(() => this.#in(fullMs));
    this.#in(fullMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#round;
  }

  #in(ms: number): void {
    const { clock } = this.#deps;
    const at = clock.now() + ms;
    if (this.#isClosed || at >= this.#at) return;
    this.#timer?.[Symbol.dispose]();
    this.#at = at;
    this.#timer = clock.timer(ms, () => {
      this.#round = this.#run().finally(() => {
        this.#at = Number.POSITIVE_INFINITY;
        this.#in(roundMs);
      });
    });
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    const { clock, log, logBook, times, limits, lockRemovals } = this.#deps;
    using lock = lockRemovals();
    if (lock === undefined) return; // tried again with the next full segment, or in an hour
    try {
      const logs = new Map<string, Segment[]>();
      for (const id of await logBook.ids()) logs.set(id, await logBook.segments(id));
      const kept: Kept = {
        since: clock.now() - times.logKept,
        oneBytes: limits.appLogMib * mebibyte,
        allBytes: limits.logsMib * mebibyte,
      };
      for (const [id, last] of whatGoes(logs, kept)) await logBook.drop(id, last);
    } catch (error) {
      log.error({ err: error }, "old logs could not be removed; the next round tries again");
    }
  }
}

/** The last segment of each log that goes; those that are not named stay whole. */
export function whatGoes(logs: ReadonlyMap<string, readonly Segment[]>, kept: Kept): Map<string, number> {
  const goes = new Map<string, number>();
  const left: (Segment & { id: string })[] = [];
  for (const [id, files] of logs) {
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    for (const [at, file] of files.entries()) {
      const isLast = at === files.length - 1;
      if (file.writtenAt < kept.since || (bytes > kept.oneBytes && !isLast)) goes.set(id, file.segment);
      else if (!isLast) left.push({ ...file, id });
      bytes -= file.bytes;
    }
  }
  let all = [...logs.values()].flat().reduce((sum, file) => sum + file.bytes, 0);
  for (const [id, last] of goes) {
    for (const file of logs.get(id) ?? []) if (file.segment <= last) all -= file.bytes;
  }
  for (const file of left.toSorted((a, b) => a.writtenAt - b.writtenAt || a.segment - b.segment)) {
    if (all <= kept.allBytes) break;
    goes.set(file.id, Math.max(file.segment, goes.get(file.id) ?? 0));
    all -= file.bytes;
  }
  return goes;
}
