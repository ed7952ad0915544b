/** Who waits for images: a build whose last client has gone, and which no function needs, is given up. */
import { type Clock, Leases, type Logger, type NewId } from "@lydian/kit";

import type { Image } from "../domain/image.ts";
import type { Store, Tx } from "../domain/store.ts";
import { moveImage } from "./transition.ts";

export interface InterestDeps {
  store: Store;
  clock: Clock;
  newId: NewId;
  log: Logger;
  /** Ends a build that is under way. */
  stop: (build: Pick<Image, "id" | "fence" | "workerId">, reason: string) => void;
}

/** Between two streams of a client, in milliseconds: it opens the next one when the last one's time was up. */
const graceMs = 10_000;

/** After the server's start, until the clients that were there before it are back. */
const returnMs = 60_000;

/** Kept in memory: after a restart, everybody has a whole term to come again. */
export class Interest {
  readonly #deps: InterestDeps;
  readonly #held = new Map<string, number>();
  readonly #leases: Leases;

  constructor(deps: InterestDeps) {
    this.#deps = deps;
    this.#leases = new Leases(deps.clock, (id) => void this.#left(id));
  }

  async start(): Promise<void> {
    const underWay = await this.#deps.store.read((tx) => tx.images.underWay());
    for (const { id } of underWay) this.#leases.renew(id, returnMs);
  }

  close(): void {
    this.#leases[Symbol.dispose]();
  }

  /** Somebody was told to wait for it, and will come in a moment. */
  expect(id: string): void {
    this.#leases.renew(id, graceMs);
  }

  /** Somebody waits, until it is disposed of. */
  hold(id: string): Disposable {
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    this.#leases.drop(id);
    let isOver = false;
    return {
      [Symbol.dispose]: () => {
        if (isOver) return;
        isOver = true;
        const others = (this.#held.get(id) ?? 1) - 1;
        if (others > 0) return void this.#held.set(id, others);
        this.#held.delete(id);
        this.#leases.renew(id, graceMs);
      },
    };
  }

  /** Nobody has come back for it. */
  async #left(id: string): Promise<void> {
    const { store, clock, newId, log, stop } = this.#deps;
    if (this.#held.has(id)) return;
    try {
      const before = await store.write(async (tx) => {
        const image = await tx.images.get(id);
        if (image === undefined || this.#held.has(id)) return undefined;
        if (await isNeeded(tx, id)) return "needed" as const;
        const moved = await moveImage(tx, id, { kind: "unwant" }, { now: clock.now(), newId });
        return moved && image;
      });
      if (before === "needed") this.#leases.renew(id, returnMs); // looked at again then
      else if (before?.state === "building") stop(before, "nobody waits for its image any more");
    } catch (error) {
      log.error({ err: error, image: id }, "a build that nobody waits for could not be given up");
      this.#leases.renew(id, returnMs);
    }
  }
}

/** By a function whose containers wait for it. */
async function isNeeded(tx: Tx, id: string): Promise<boolean> {
  const demands = await tx.functions.demands();
  return demands.some(({ imageId, queued, policy }) => imageId === id && (queued > 0 || policy.minContainers > 0));
}
