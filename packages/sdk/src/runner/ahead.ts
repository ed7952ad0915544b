/**
 * Inputs that a container has claimed before their turn: so short are those of its function that asking for each would take
 * longer than it runs. When one turns out to be slow, those behind it go back to the queue, where others take them.
 *
 * Whether an input is begun here or given back is decided once, by a number in shared memory: the timer that gives back is that of
 * this loop, and beside it one in a thread, since code that computes keeps this loop from anything.
 */
import { Worker } from "node:worker_threads";

import type { FunctionGetInputsItem } from "@lydian/contract";

import type { Client } from "../client/client.ts";
import { type AheadInput, type HeldAhead, mostAhead, newStates, stillWait, takeOne, waits } from "./ahead-states.ts";
import { giveBack } from "./give-back.ts";

/** What is taken at a time takes about so long together, in milliseconds. */
const togetherMs = 5;
/** An input that runs for longer than that has none wait behind it, in milliseconds. */
const slowMs = 10;
export class Ahead {
  readonly #client: Client;
  readonly #patienceMs: number;
  readonly #given: (input: AheadInput) => void;
  readonly #states = newStates();
  #held: HeldAhead = { batch: 0, inputs: [] };
  #thread: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the last one began. */
  #begunAt = 0;
  /** Inputs that were short, one after the other, and how long one takes on average. */
  #short = 0;
  #meanMs = 0;

  /** `given`: the platform knows that this one is given back; until then it may hand it out here again, as one that is held. */
  constructor(client: Client, patienceMs: number, given: (input: AheadInput) => void) {
    this.#client = client;
    this.#patienceMs = patienceMs;
    this.#given = given;
  }

  /** How many inputs are worth being taken at a time, by what those before took. */
  get window(): number {
    const fitting = Math.floor(togetherMs / Math.max(this.#meanMs, togetherMs / mostAhead));
    return Math.max(1, Math.min(fitting, Math.floor(this.#short / 2)));
  }

  /** They have come together with one that begins now. None is held from before. */
  hold(inputs: readonly FunctionGetInputsItem[]): void {
    this.#held = { batch: this.#held.batch + 1, inputs: inputs.slice(0, mostAhead) };
    const { batch } = this.#held;
    for (let at = 0; at < this.#held.inputs.length; at++) Atomics.store(this.#states, at + 1, waits(batch));
    this.#thread ??= this.#startThread();
    const told = this.#held.inputs.map(({ inputId, retryCount }) => ({ inputId, retryCount }));
    this.#thread.postMessage({ batch, inputs: told } satisfies HeldAhead, []);
    this.#timer ??= setTimeout(() => this.#look(), slowMs).unref();
    this.#timer.refresh();
  }

  /** It begins now; false when it was given back. */
  begins(input: FunctionGetInputsItem): boolean {
    const at = this.#held.inputs.indexOf(input);
    if (at !== -1 && !takeOne(this.#states, this.#held.batch, at)) return false;
    Atomics.add(this.#states, 0, 1);
    this.#begunAt = performance.now();
    return true;
  }

  ended(): void {
    const ms = performance.now() - this.#begunAt;
    this.#short = ms > togetherMs ? 0 : this.#short + 1;
    this.#meanMs += (ms - this.#meanMs) / 8;
  }

  /** Those of these that have not begun never do. */
  leave(isLeft: (input: AheadInput) => boolean = () => true): void {
    const { batch, inputs } = this.#held;
    const left = inputs.filter((input, at) => isLeft(input) && takeOne(this.#states, batch, at));
    void giveBack(this.#client, left, this.#patienceMs).then(() => left.forEach((input) => this.#given(input)));
  }

  /** Also where this loop turns, an input may be slow: it waits for something. */
  #look(): void {
    if (!stillWait(this.#states, this.#held)) return;
    if (performance.now() - this.#begunAt >= slowMs) this.leave();
    else this.#timer?.refresh();
  }

  #startThread(): Worker {
    const workerData = { states: this.#states, patienceMs: this.#patienceMs };
    const thread = new Worker(new URL("./ahead-thread.js", import.meta.url), { workerData, execArgv: [] });
    thread.on("message", (inputs: readonly AheadInput[]) => inputs.forEach((input) => this.#given(input)));
    thread.unref();
    return thread;
  }
}
