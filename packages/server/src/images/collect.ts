/**
 * Has removed what nothing needs: images on the workers, by age, by size, or for want of room; and what is known here of
 * images that nobody can ask for any more. An image that is asked for after all is made again.
 */
import type { worker } from "@lydian/contract";
import type { Clock, Logger, Timer } from "@lydian/kit";

import type { Limits, Times } from "../config.ts";
import { forgettable, type ImageUse, whyNeeded } from "../domain/image-use.ts";
import type { Store, Tx } from "../domain/store.ts";
import type { WorkerView } from "../domain/worker.ts";
import { fail, ServerError } from "../errors.ts";
import type { LogBook } from "../logs/log-book.ts";

/** What is asked of the workers' sessions. */
export interface CollectHands {
  workers(): Pick<WorkerView, "id" | "images">[];
  collect(workerId: string, wish: WorkerWish): Promise<worker.Collected>;
}

export interface WorkerWish {
  images: { imageId: string; usedAtMs: bigint; needed: boolean }[];
  usedBeforeMs?: bigint;
  mostBytes?: bigint;
  freeBytes?: bigint;
  named?: string[];
  dryRun?: boolean;
}

export interface CollectorDeps {
  store: Store;
  clock: Clock;
  hands: CollectHands;
  logBook: Pick<LogBook, "size" | "remove">;
  times: Pick<Times, "imageKept">;
  limits: Pick<Limits, "imagesMib">;
  log: Logger;
}

/** What is absent is as the settings say. */
export interface GarbageWish {
  unusedMs?: number | undefined;
  mostBytes?: number | undefined;
  /** Nothing but these goes, when there are any. */
  named: readonly string[];
  isDry: boolean;
}

export interface WorkerGarbage extends Omit<worker.Collected, "$typeName" | "collectionId"> {
  workerId: string;
}

export interface Garbage {
  workers: WorkerGarbage[];
  /** Images of which nothing is known any more. */
  forgotten: string[];
  /** What the logs of their builds took. */
  logBytes: number;
}

/** From the server's start to the first round, when apps and workers have come back, and between two. */
const firstRoundMs = 3_600_000;
const roundMs = 6 * 3_600_000;

const mebibyte = 2 ** 20;

export class ImageCollector {
  readonly #deps: CollectorDeps;
  #timer: Timer | undefined;
  #round: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(deps: CollectorDeps) {
    this.#deps = deps;
  }

  start(afterMs = firstRoundMs): void {
    const next = (): void => {
      this.#round = this.#runRound().finally(() => this.#isClosed || this.start(roundMs));
    };
    this.#timer = this.#deps.clock.timer(afterMs, next).unref();
  }

  /** After the workers' sessions, or it waits for what was asked of them. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#round;
  }

  async collect(wish: GarbageWish): Promise<Garbage> {
    const { store, clock, hands, times, limits } = this.#deps;
    const now = clock.now();
    const { unusedMs = times.imageKept, mostBytes = (limits.imagesMib ?? 0) * mebibyte, named, isDry } = wish;
    const usedBefore = now - unusedMs;
    const uses = await store.read((tx) => tx.images.uses());
    const byRule = { usedBeforeMs: BigInt(Math.max(1, usedBefore)), mostBytes: BigInt(mostBytes) };
    const asked = { images: uses.map(useOf), named: [...named], dryRun: isDry, ...(named.length === 0 && byRule) };
    const collected = await Promise.all(hands.workers().map(({ id }) => this.#collectOn(id, asked)));
    if (named.length > 0) return { workers: collected, forgotten: [], logBytes: 0 };
    return { workers: collected, ...(await this.#forget(usedBefore, isDry)) };
  }

  /** Has removed what workers and disks have of an image that was deleted. Twice does no harm. */
  async leave(id: string): Promise<void> {
    const { hands, logBook } = this.#deps;
    await logBook.remove(id);
    const holders = hands.workers().filter(({ images }) => images.has(id));
    await Promise.all(holders.map((holder) => this.#collectOn(holder.id, { images: [], named: [id] })));
  }

  /** For a worker whose disk is short of room. */
  makeRoom(workerId: string, bytes: number): void {
    void this.#makeRoom(workerId, bytes);
  }

  async #makeRoom(workerId: string, bytes: number): Promise<void> {
    const { store, log } = this.#deps;
    try {
      const uses = await store.read((tx) => tx.images.uses());
      const freed = await this.#collectOn(workerId, { images: uses.map(useOf), freeBytes: BigInt(bytes) });
      log.info(
        { worker: workerId, wanted: bytes, freed: Number(freed.bytes), images: freed.imageIds },
        "room was wanted",
      );
    } catch (error) {
      log.error({ err: error, worker: workerId }, "a worker that is short of room could not be told what may go");
    }
  }

  async #collectOn(workerId: string, wish: WorkerWish): Promise<WorkerGarbage> {
    try {
      const { $typeName: _, collectionId: __, ...collected } = await this.#deps.hands.collect(workerId, wish);
      return { workerId, ...collected };
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      const nothing = { imageIds: [], bases: [], layers: 0, bytes: 0n, files: 0, fileBytes: 0n, leftBytes: 0n };
      return { workerId, ...nothing, error: error.text };
    }
  }

  /** The rows first: files that a death leaves over are nobody's, and go at the next start. */
  async #forget(usedBefore: number, isDry: boolean): Promise<Omit<Garbage, "workers">> {
    const { store, clock, logBook } = this.#deps;
    const choose = (uses: ImageUse[]): string[] => forgettable(uses, usedBefore, clock.now());
    const forgotten = isDry
      ? await store.read(async (tx) => choose(await tx.images.uses()))
      : await store.write(async (tx) => {
          const chosen = choose(await tx.images.uses());
          for (const id of chosen) {
            await tx.images.remove(id);
            await tx.logs.forget(id);
          }
          return chosen;
        });
    let logBytes = 0;
    for (const id of forgotten) {
      logBytes += await logBook.size(id);
      if (!isDry) await logBook.remove(id);
    }
    return { forgotten, logBytes };
  }

  async #runRound(): Promise<void> {
    const { log } = this.#deps;
    try {
      const { workers, forgotten } = await this.collect({ named: [], isDry: false });
      const bytes = workers.reduce((sum, each) => sum + Number(each.bytes), 0);
      if (bytes + forgotten.length > 0)
        log.info({ bytes, forgotten: forgotten.length }, "images went that nothing needs");
    } catch (error) {
      log.error({ err: error }, "images that nothing needs could not be removed; the next round tries again");
    }
  }
}

/** Deletes what is known of an image that nothing needs; throws when something does. What it stands on stays. */
export async function deleteImage(tx: Tx, id: string): Promise<void> {
  const uses = await tx.images.uses();
  const use = uses.find((each) => each.id === id);
  if (use === undefined) throw fail("notFound", `Image ${id} does not exist.`);
  const why = whyNeeded(use, uses);
  if (why !== undefined) throw fail("failedPrecondition", `Image ${id} cannot be deleted: ${why}.`);
  await tx.images.remove(id);
  await tx.logs.forget(id);
}

function useOf({ id, usedAt, isNeeded }: ImageUse): WorkerWish["images"][number] {
  return { imageId: id, usedAtMs: BigInt(usedAt), needed: isNeeded };
}
