/**
 * Hears of what others have changed of volumes, and fetches it before anybody here asks for it. Only of those that were asked for a
 * short while ago, by a container that began or reloaded: another such one may come, and must not wait.
 */
import type { Clock, Logger } from "@lydian/kit";

import type { VolumeTrees } from "./volume-trees.ts";

/** A volume that nobody has asked for in so long is left alone. */
const shortlyMs = 10 * 60_000;

export class FetchAhead {
  readonly #trees: VolumeTrees;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** When somebody last asked for a volume's newest state. */
  readonly #asked = new Map<string, number>();
  /** The newest commit that was heard of, and when. */
  readonly #heard = new Map<string, { readonly head: number; readonly at: number }>();
  #isClosed = false;

  constructor({ trees, clock, logger }: { trees: VolumeTrees; clock: Clock; logger: Logger }) {
    this.#trees = trees;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Somebody asks for the volume's newest state. Answers the newest commit that was heard of a short while ago, or 0. */
  asked(volumeId: string): number {
    const now = this.#clock.now();
    for (const [each, at] of this.#asked) if (!isShortly(at, now)) this.#asked.delete(each);
    this.#asked.set(volumeId, now);
    return this.#heard.get(volumeId)?.head ?? 0;
  }

  /** Resolves when the commit `head` is here, or is not fetched; whatever fails is tried again by who needs it. */
  async changed(volumeId: string, head: number): Promise<void> {
    const now = this.#clock.now();
    for (const [each, { at }] of this.#heard) if (!isShortly(at, now)) this.#heard.delete(each);
    this.#heard.set(volumeId, { head, at: now });
    const at = this.#asked.get(volumeId);
    if (at === undefined || !isShortly(at, now)) return;
    try {
      this.#trees.release(await this.#trees.newest(volumeId, head));
    } catch (error) {
      if (this.#isClosed) return;
      this.#logger.debug({ err: error, volume: volumeId }, "what others have changed is not fetched ahead");
    }
  }

  close(): void {
    this.#isClosed = true;
  }
}

const isShortly = (at: number, now: number): boolean => now - at < shortlyMs;
