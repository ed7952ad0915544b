/**
 * Forgets what nobody will ask for again: acknowledged and old calls, kept replies, containers long gone, secrets that
 * nothing uses, entries of dicts and partitions of queues whose time is over, files of deleted volumes, old statistics,
 * uploads that were given up.
 */
import type { Clock, Logger, Timer } from "@lydian/kit";

import type { Times } from "../config.ts";
import type { Store, Tx } from "../domain/store.ts";
import { forgetPartitions } from "../queues/items.ts";
import { portion } from "../sweeps/portion.ts";
import { forgetCall } from "./sweep.ts";

/** Between two rounds. */
const roundMs = 60_000;
/** How long a container that is gone can still be looked up. */
const containersKeptMs = 7 * 86_400_000;

/** What was counted by minutes is kept so long, and as hours so long; lists of what has ended, so long at most. */
const minutesKeptMs = 43_200_000;
const hoursKeptMs = 32 * 86_400_000;
const pastKeptMs = 7 * 86_400_000;

/** How long what a deploy has defined waits for it to be published. */
const editionsKeptMs = 86_400_000;

/** How long a secret without a name waits for the first function that uses it, and a deleted one is named in errors. */
const secretsKeptMs = 86_400_000;

/** An upload that has not moved for longer is given up. */
const uploadsKeptMs = 86_400_000;

export interface ReaperDeps {
  store: Store;
  clock: Clock;
  times: Times;
  log: Logger;
  /** Removes the parts of uploads that were begun before this time and not completed. */
  sweepUploads(before: number): Promise<void>;
}

export class Reaper {
  readonly #deps: ReaperDeps;
  #timer: Timer | undefined;
  #round: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(deps: ReaperDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = this.#deps.clock.timer(roundMs, () => {
      this.#round = this.#run().finally(() => this.#closed || this.start());
    });
    this.#timer.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#round;
  }

  async #run(): Promise<void> {
    const { clock, times, log } = this.#deps;
    const now = clock.now();
    const repeats = now - times.replyKept;
    try {
      const before = { finished: now - times.resultKept, acknowledged: repeats };
      await this.#all((tx) => forgetCalls(tx, before));
      await this.#all((tx) => tx.replies.forget(repeats, portion));
      await this.#all((tx) => tx.containers.forget(now - containersKeptMs, portion));
      await this.#all((tx) => tx.editions.forget(now - editionsKeptMs, portion));
      await this.#all((tx) => tx.secrets.forget(now - secretsKeptMs, portion));
      await this.#all((tx) => tx.dicts.forget(now, portion));
      await this.#all((tx) => forgetPartitions(tx, portion, now));
      await this.#all((tx) => tx.volumes.forget(portion));
      await this.#all((tx) => tx.statistics.rollUp(now - minutesKeptMs, portion));
      await this.#all((tx) => tx.statistics.forget(now - hoursKeptMs, portion));
      await this.#all((tx) => tx.statistics.forgetRequests(now - pastKeptMs, portion));
      await this.#all((tx) => tx.callHistory.forget(now - pastKeptMs, portion));
      await this.#deps.sweepUploads(now - uploadsKeptMs);
    } catch (error) {
      log.error({ err: error }, "old rows could not be removed; the next round tries again");
    }
  }

  async #all(forget: (tx: Tx) => Promise<number>): Promise<void> {
    while (!this.#closed && (await this.#deps.store.write(forget)) === portion);
  }
}

/** As many as make a portion of rows; answers a portion when there may be more. */
async function forgetCalls(tx: Tx, before: Parameters<Tx["calls"]["forgettable"]>[0]): Promise<number> {
  let rows = 0;
  for (const id of await tx.calls.forgettable(before, portion)) {
    rows += 1 + (await forgetCall(tx, id));
    if (rows >= portion) return portion;
  }
  return 0;
}
