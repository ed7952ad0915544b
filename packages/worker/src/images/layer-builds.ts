/**
 * Makes layers that several may wait for at once: each of them hears of the progress, and the work is broken off when
 * the last of them has gone.
 */
import { type Clock, PlatformError } from "@lydian/kit";

import type { Layer, LayerLease, LayerStore } from "../layers/index.ts";
import { unlessAborted } from "../shared-work.ts";
import { Steps } from "./steps.ts";

/** Somebody who waits for an image. */
export interface Waiting {
  /** Gets lines for people. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** For whom layers are made, and who keeps them from being removed until he has written down which they are. */
export interface Customer extends Waiting {
  readonly lease: Pick<LayerLease, "hold">;
}

/** What a layer's maker gets. */
export interface LayerWork {
  /** The layer to be: an empty directory. */
  readonly diff: string;
  /** Beside it on the same disk; deleted afterwards. */
  readonly scratch: string;
  readonly steps: Steps;
  readonly signal: AbortSignal;
}

/** How to make a layer of which it is known beforehand what its id will be. */
export interface LayerRecipe {
  readonly id: string;
  /** `below` are the finished layers under it, topmost first. */
  fill(work: LayerWork, below: readonly Layer[]): Promise<void>;
}

interface Build {
  readonly waiting: Set<Waiting>;
  readonly abort: AbortController;
  readonly layer: Promise<Layer>;
  /** The last line, for who comes in the middle. */
  line?: string;
}

export class LayerBuilds {
  readonly layers: LayerStore;
  readonly #clock: Clock;
  readonly #builds = new Map<string, Build>();

  constructor(options: { layers: LayerStore; clock: Clock }) {
    this.layers = options.layers;
    this.#clock = options.clock;
  }

  /** The layer with this id; `fill` runs when there is none yet and nobody makes it. */
  async make(id: string, customer: Customer, fill: (work: LayerWork) => Promise<void>): Promise<Layer> {
    for (;;) {
      customer.signal.throwIfAborted();
      const layer = (await this.layers.get(id)) ?? (await this.#made(id, customer, fill));
      if (layer !== undefined && (await customer.lease.hold([layer]))) return layer; // else it was removed meanwhile
    }
  }

  /** The stack of these recipes, the first one lowest; answers it topmost first. */
  async makeStack(recipes: readonly LayerRecipe[], customer: Customer): Promise<readonly Layer[]> {
    let stack: readonly Layer[] = [];
    for (const recipe of recipes) {
      const below = stack;
      stack = [await this.make(recipe.id, customer, (work) => recipe.fill(work, below)), ...below];
    }
    return stack;
  }

  /** Breaks off what is being made; resolves when it has stopped. */
  async close(): Promise<void> {
    const builds = [...this.#builds.values()];
    for (const { abort } of builds) abort.abort(new PlatformError("the worker ends"));
    await Promise.allSettled(builds.map(({ layer }) => layer));
  }

  /** Undefined when everybody had left it and it was being cleaned away. */
  async #made(id: string, waiting: Waiting, fill: (work: LayerWork) => Promise<void>): Promise<Layer | undefined> {
    const build = this.#builds.get(id) ?? this.#begin(id, fill);
    if (!build.abort.signal.aborted) return await this.#join(build, waiting);
    await unlessAborted(Promise.allSettled([build.layer]), waiting.signal);
    return undefined;
  }

  #begin(id: string, fill: (work: LayerWork) => Promise<void>): Build {
    const waiting = new Set<Waiting>();
    const abort = new AbortController();
    const steps = new Steps(this.#clock, (line) => {
      build.line = line;
      for (const { say } of waiting) say(line);
    });
    const layer = this.layers
      .make(id, (diff, scratch) => fill({ diff, scratch, steps, signal: abort.signal }), abort.signal)
      .finally(() => this.#builds.delete(id));
    layer.catch(() => {}); // who waits hears of it; when all have gone there is nobody to tell
    const build: Build = { waiting, abort, layer };
    this.#builds.set(id, build);
    return build;
  }

  async #join(build: Build, waiting: Waiting): Promise<Layer> {
    const own = { ...waiting }; // the same caller may wait twice
    build.waiting.add(own);
    if (build.line !== undefined) waiting.say(build.line);
    try {
      return await unlessAborted(build.layer, waiting.signal);
    } finally {
      build.waiting.delete(own);
      if (build.waiting.size === 0) build.abort.abort(new PlatformError("nobody waits for this image any more"));
    }
  }
}
