/**
 * Removes what nothing needs: content, and the rows of blobs and mounts. What a look finds to be needed by nothing is noted, and
 * goes at a later one when that has been so for a whole time (`contentKept`) and nobody has asked for it meanwhile.
 *
 * So whoever has stored something has that time to refer to it, and a link is good for as long. Dying at any moment leaves things
 * that are found again; nothing that is referred to is ever removed, for the look sees all rows of one moment after the note.
 */
import type { Clock, Logger, Timer } from "@lydian/kit";

import type { Times } from "../config.ts";
import type { Store, Tx } from "../domain/store.ts";
import { forgetHistory } from "../volumes/history.ts";
import type { ContentStore } from "./content-store.ts";
import { KeySet } from "./key-set.ts";
import { each, findNeeded, type Needed, pageRows } from "./needed.ts";
import type { Unneeded } from "./unneeded.ts";

export interface ContentCollectorDeps {
  store: Store;
  clock: Clock;
  content: ContentStore;
  unneeded: Unneeded;
  times: Pick<Times, "contentKept" | "volumeHistory">;
  log: Logger;
  /** Of the disk that the server's data are on, in bytes. */
  room: () => Promise<{ free: number; total: number }>;
  /** Held while something is removed; undefined while somebody copies or reads all (`removalLock`): then nothing is. */
  lockRemovals: () => Disposable | undefined;
}

export interface ContentWish {
  /** What nothing has needed for so long goes; not less than an hour, unless `contentKept` is less. Absent: `contentKept`. */
  unneededMs?: number | undefined;
  isDry: boolean;
}

/** Contents, and their bytes. */
export interface Amount {
  files: number;
  bytes: number;
}

export interface ContentGarbage {
  removed: Amount;
  /** What nothing needs, but not for long enough yet. */
  waiting: Amount;
  /** What is there now, without what is waiting. */
  needed: Amount;
}

/** From the server's start to the first round, and between two. */
const firstRoundMs = 600_000;
const roundMs = 3_600_000;

/** Between two looks for want of room: what the first has noted takes an hour to go. */
const pauseMs = 600_000;

/** A client that has just been told that something is there will come back with it, whoever thinks little of age. */
const shortestMs = 3_600_000;

const gibibyte = 2 ** 30;

/** Things that are noted, struck off or removed in one unit of work. */
const portion = 200;

export class ContentCollector {
  readonly #deps: ContentCollectorDeps;
  readonly #closing = new AbortController();
  #timer: Timer | undefined;
  /** One look after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #madeRoomAt = Number.NEGATIVE_INFINITY;

  constructor(deps: ContentCollectorDeps) {
    this.#deps = deps;
  }

  start(afterMs = firstRoundMs): void {
    const next = (): void => void this.#round().finally(() => this.#closing.signal.aborted || this.start(roundMs));
    this.#timer = this.#deps.clock.timer(afterMs, next).unref();
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the server ends"));
    this.#timer?.[Symbol.dispose]();
    await this.#turn;
  }

  async collect({ unneededMs, isDry }: ContentWish): Promise<ContentGarbage> {
    const { contentKept } = this.#deps.times;
    const keptMs = Math.max(unneededMs ?? contentKept, Math.min(contentKept, shortestMs));
    return await this.#inTurn(async () => {
      if (!isDry) await this.#forgetHistory(this.#deps.times.volumeHistory);
      return await this.#look(keptMs, isDry);
    });
  }

  /** The disk is short of room: old states of volumes go, and what nothing has needed for an hour. */
  makeRoom(): void {
    const now = this.#deps.clock.now();
    if (now < this.#madeRoomAt + pauseMs) return;
    this.#madeRoomAt = now;
    void this.#round(true);
  }

  async #round(isShort = false): Promise<void> {
    const { room, times, log } = this.#deps;
    try {
      const short = isShort || isShortOf(await room());
      await this.#inTurn(async () => {
        await this.#forgetHistory(short ? Math.min(times.volumeHistory, shortestMs) : times.volumeHistory);
        const { removed } = await this.#look(
          short ? Math.min(times.contentKept, shortestMs) : times.contentKept,
          false,
        );
        if (removed.files > 0) log.info({ ...removed }, "content went that nothing needs");
      });
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      log.error({ err: error }, "content that nothing needs could not be removed; the next round tries again");
    }
  }

  async #forgetHistory(keptMs: number): Promise<void> {
    const { store, clock } = this.#deps;
    await forgetHistory(store, { time: clock.now() - keptMs, now: clock.now() }, this.#closing.signal);
  }

  async #look(keptMs: number, isDry: boolean): Promise<ContentGarbage> {
    const { store, clock, content, log } = this.#deps;
    const read = async (sha256: string): Promise<Uint8Array | undefined> => {
      if (await content.has(sha256)) return await content.read(sha256);
      log.warn({ sha256 }, "content that is needed is missing");
      return undefined;
    };
    using lock = isDry ? undefined : this.#deps.lockRemovals();
    if (lock === undefined && !isDry) log.info("content is being copied or checked: nothing of it is removed now");
    const mayRemove = lock !== undefined || isDry;
    const settling = new Settling(this.#deps, mayRemove ? clock.now() - keptMs : Number.NEGATIVE_INFINITY, isDry);
    const needed = await store.snapshot(async (tx) => {
      const needed = await findNeeded(tx, { newKeys: () => new KeySet(), read, pause: () => this.#pause() });
      await this.#settleRows(tx, needed, settling);
      return needed;
    });
    const garbage = { removed: nothing(), waiting: nothing(), needed: nothing() };
    const remove = (sha256: string): Promise<void> => content.remove(sha256);
    const settle = async (found: readonly Found[]): Promise<void> => {
      const sizes = new Map(found.map(({ id, size }) => [id, size]));
      const { removed, waiting } = await settling.settle(found, (ids) =>
        this.#deps.unneeded.removeContent(ids, remove),
      );
      const gone = new Set([...removed, ...waiting]);
      count(garbage.removed, removed, sizes);
      count(garbage.waiting, waiting, sizes);
      count(
        garbage.needed,
        found.map(({ id }) => id).filter((id) => !gone.has(id)),
        sizes,
      );
      await this.#pause();
    };
    await inPortions(
      content.list(),
      ({ sha256, size }) => ({ id: sha256, size, isNeeded: needed.content.has(sha256) }),
      settle,
    );
    return garbage;
  }

  async #settleRows(tx: Tx, needed: Needed<KeySet>, settling: Settling): Promise<void> {
    const { unneeded } = this.#deps;
    const pause = (): Promise<void> => this.#pause();
    const settle = (remove: (tx: Tx, id: string) => Promise<void>) => async (found: readonly Found[]) => {
      await settling.settle(found, (ids) => unneeded.removeRows(ids, remove));
    };
    await inPortions(
      each((after) => tx.contentUses.blobs(after, pageRows), "", pause),
      ({ id }) => ({ id, size: 0, isNeeded: needed.blobs.has(id) }),
      settle((own, id) => own.blobs.remove(id)),
    );
    await inPortions(
      each((after) => tx.contentUses.mounts(after, pageRows), "", pause),
      ({ id }) => ({ id, size: 0, isNeeded: needed.mounts.has(id) }),
      settle((own, id) => own.mounts.remove(id)),
    );
  }

  async #pause(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#closing.signal.throwIfAborted();
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => {}); // told to the caller
    return turn;
  }
}

interface Found {
  readonly id: string;
  readonly size: number;
  readonly isNeeded: boolean;
}

/** What becomes of what was found, at one look. */
class Settling {
  readonly #deps: Pick<ContentCollectorDeps, "unneeded" | "clock">;
  readonly #before: number;
  readonly #isDry: boolean;

  /** What has been unneeded since `before` goes, which is before the moment that the look sees. */
  constructor(deps: Pick<ContentCollectorDeps, "unneeded" | "clock">, before: number, isDry: boolean) {
    this.#deps = deps;
    this.#before = before;
    this.#isDry = isDry;
  }

  /** `remove` answers which have gone. */
  async settle(
    found: readonly Found[],
    remove: (ids: readonly string[]) => Promise<string[]>,
  ): Promise<{ removed: string[]; waiting: string[] }> {
    const { unneeded, clock } = this.#deps;
    const idle = found.filter(({ isNeeded }) => !isNeeded).map(({ id }) => id);
    const over = idle.filter((id) => (unneeded.since(id) ?? Number.POSITIVE_INFINITY) <= this.#before);
    const waiting = idle.filter((id) => !over.includes(id));
    if (this.#isDry) return { removed: over, waiting };
    const needed = found.filter(({ id, isNeeded }) => isNeeded && unneeded.since(id) !== undefined);
    await unneeded.strike(needed.map(({ id }) => id));
    // By the present time: who has just been told that one is there has a whole time from now on.
    await unneeded.note(
      waiting.filter((id) => unneeded.since(id) === undefined),
      clock.now(),
    );
    return { removed: await remove(over), waiting };
  }
}

const nothing = (): Amount => ({ files: 0, bytes: 0 });

function count(amount: Amount, ids: readonly string[], sizes: ReadonlyMap<string, number>): void {
  amount.files += ids.length;
  for (const id of ids) amount.bytes += sizes.get(id) ?? 0;
}

async function inPortions<T>(
  all: AsyncIterable<T>,
  foundOf: (each: T) => Found,
  settle: (found: readonly Found[]) => Promise<void>,
): Promise<void> {
  let found: Found[] = [];
  for await (const one of all) {
    if (found.push(foundOf(one)) < portion) continue;
    await settle(found);
    found = [];
  }
  await settle(found);
}

/** Before a worker on the same disk has to end containers for it, which is at 2 % and 10 GiB at most. */
function isShortOf({ free, total }: { free: number; total: number }): boolean {
  return free < Math.min(total / 10, 40 * gibibyte);
}
