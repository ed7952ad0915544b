/**
 * The starters that wait on this worker. Which kinds are wanted it learns from the containers that are started; it makes
 * new ones when the worker has had a moment's rest, one at a time, and at the lowest priority.
 *
 * When memory is short none is made, and those that wait are given up; the kernel takes them before anything else if it
 * comes to that.
 */
import { freemem, totalmem } from "node:os";

import type * as wire from "@lydian/contract/worker";
import { type Clock, idMaker, type Logger, type Timer } from "@lydian/kit";

import { type ContainerPlace, starterPlace } from "../container/folder.ts";
import { keyOf, kindOf, type StarterKind } from "./kind.ts";
import type { Starter } from "./starter.ts";

export type WaitingStarter = Pick<Starter, "place" | "shown" | "socket" | "ended" | "become" | "run" | "drop">;

export interface StartersOptions {
  /** The worker's data folder. */
  readonly data: string;
  /** Starts one; leaves nothing when it rejects. */
  readonly make: (place: ContainerPlace, kind: StarterKind, signal: AbortSignal) => Promise<WaitingStarter>;
  /** How many wait, of each kind. */
  readonly count: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bytes that the host can still give away, and that it has. */
  readonly memory?: () => { free: number; total: number };
}

/** Nothing is made so soon after a container was started: that has the host's processors for itself. */
const restMs = 500;

/** After one could not be made; doubled with each. */
const failureMs = 10_000;

/** Then its kind is given up until it is asked for again. */
const mostFailures = 3;

/** How many kinds are kept: those that were wanted last. */
const mostKinds = 4;

/** What must be free, as a part of the host's memory. */
const freeShare = 0.1;

/** A kind that somebody has wanted. */
interface Wanted {
  readonly kind: StarterKind;
  readonly waiting: WaitingStarter[];
  failures: number;
}

export class Starters {
  readonly #options: StartersOptions;
  /** By key, the one that was asked for last at the end. */
  readonly #wanted = new Map<string, Wanted>();
  readonly #closed = new AbortController();
  readonly #newId: () => string;
  #timer: Timer | undefined;
  #making: Promise<void> | undefined;
  readonly #dropping = new Set<Promise<void>>();

  constructor(options: StartersOptions) {
    this.#options = options;
    const makeId = idMaker(() => options.clock.now());
    this.#newId = () => makeId("st");
  }

  /** One that waits for such a container, which is the caller's from here on; undefined when there is none. */
  take(spec: wire.ContainerSpec): WaitingStarter | undefined {
    const kind = kindOf(spec);
    if (kind === undefined || this.#closed.signal.aborted) return undefined;
    const key = keyOf(kind);
    const wanted = this.#wanted.get(key) ?? { kind, waiting: [], failures: 0 };
    wanted.failures = 0;
    this.#wanted.delete(key);
    this.#wanted.set(key, wanted);
    if (this.#isMemoryShort()) for (const each of this.#wanted.values()) this.#dropAll(each);
    const starter = wanted.waiting.shift();
    this.#makeAfter(restMs);
    return starter;
  }

  /** What the runtime calls those that wait. */
  hostIds(): ReadonlySet<string> {
    return new Set([...this.#wanted.values()].flatMap(({ waiting }) => waiting.map(({ place }) => place.hostId)));
  }

  /** These images go: ends those that wait with them, and makes none until they are wanted again. */
  async leave(imageIds: ReadonlySet<string>): Promise<void> {
    for (const wanted of this.#wanted.values()) if (imageIds.has(wanted.kind.imageId)) this.#forget(wanted);
    await Promise.all(this.#dropping);
  }

  /** Ends all that wait. */
  async close(): Promise<void> {
    this.#closed.abort(new Error("the worker ends"));
    this.#timer?.[Symbol.dispose]();
    await this.#making;
    for (const wanted of this.#wanted.values()) this.#dropAll(wanted);
    await Promise.all(this.#dropping);
  }

  #makeAfter(ms: number): void {
    this.#timer ??= this.#options.clock
      .timer(ms, () => {
        this.#timer = undefined;
        this.#making ??= this.#make().finally(() => (this.#making = undefined));
      })
      .unref();
  }

  async #make(): Promise<void> {
    const { logger, data, count, make } = this.#options;
    const { signal } = this.#closed;
    while (!signal.aborted && !this.#isMemoryShort()) {
      const kept = [...this.#wanted.values()].toReversed().slice(0, mostKinds);
      for (const wanted of this.#wanted.values()) if (!kept.includes(wanted)) this.#forget(wanted);
      const next = kept.find(({ waiting }) => waiting.length < count);
      if (next === undefined) return;
      try {
        const place = starterPlace(data, this.#newId());
        this.#keep(next, await make(place, next.kind, signal));
        next.failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ err: error, kind: keyOf(next.kind) }, "a starter could not be made");
        this.#failed(next);
        return;
      }
    }
  }

  #keep(wanted: Wanted, starter: WaitingStarter): void {
    if (this.#wanted.get(keyOf(wanted.kind)) !== wanted) return this.#drop(starter); // its kind was forgotten meanwhile
    wanted.waiting.push(starter);
    this.#options.logger.debug({ starter: starter.place.id, kind: keyOf(wanted.kind) }, "a starter waits");
    const onEnd = (): void => {
      const at = wanted.waiting.indexOf(starter);
      if (at === -1) return; // it was taken, or dropped
      wanted.waiting.splice(at, 1);
      this.#drop(starter);
      this.#failed(wanted);
    };
    starter.ended.addEventListener("abort", onEnd, { once: true });
    if (starter.ended.aborted) onEnd();
  }

  #failed(wanted: Wanted): void {
    wanted.failures++;
    if (wanted.failures === mostFailures) this.#forget(wanted);
    else this.#makeAfter(failureMs * 2 ** (wanted.failures - 1));
  }

  #forget(wanted: Wanted): void {
    this.#wanted.delete(keyOf(wanted.kind));
    this.#dropAll(wanted);
  }

  #dropAll({ waiting }: Wanted): void {
    for (const starter of waiting.splice(0)) this.#drop(starter);
  }

  #drop(starter: WaitingStarter): void {
    const dropped = starter.drop().catch((error: unknown) => {
      this.#options.logger.error({ err: error, starter: starter.place.id }, "a starter could not be removed");
    });
    this.#dropping.add(dropped);
    void dropped.then(() => this.#dropping.delete(dropped));
  }

  #isMemoryShort(): boolean {
    const { free, total } = (this.#options.memory ?? hostMemory)();
    return free < total * freeShare;
  }
}

const hostMemory = (): { free: number; total: number } => ({ free: freemem(), total: totalmem() });
