/** A container's life in the hands of chance: it greets, asks, runs what it was given, stops what it is told to stop. */
import { call, DataFormat, GenericResult_GenericStatus as Status, worker as wire } from "@lydian/contract";
import type { HeldContainer, Random } from "@lydian/testkit";

import { type World, rpc } from "./world.ts";

/** How a function's containers take inputs, as its definition says. */
export interface Traits {
  /** Inputs, or batches, at a time. */
  slots: number;
  /** 0 for none. */
  batchSize: number;
  singleUse: boolean;
  /** It asks for so many, and begins each when the one before is finished; 0: for what it can begin at once. */
  ahead: number;
}

/** One attempt of an input, as its container was given it. */
export interface Given {
  inputId: string;
  callId: string;
  retryCount: number;
  argument: string;
}

/** What a container says of attempts that it was given. */
export type Say = (containerId: string, given: readonly Given[], status: Status) => Promise<void>;

export class Life {
  readonly id: string;
  readonly holds = new Map<string, Given>();
  readonly #world: World;
  readonly #traits: Traits;
  readonly #say: Say;
  readonly #end = new AbortController();
  /** Told to stop, by id and attempt. */
  readonly #toStop = new Set<string>();
  /** Its code never ends by itself, nor when it is told to. */
  readonly #isStubborn: boolean;
  #greeted = false;
  #beating = false;
  #asking = false;
  #served = false;
  #toldToEnd = false;

  constructor({ id }: HeldContainer, world: World, traits: Traits, isStubborn: boolean, say: Say) {
    this.id = id;
    this.#world = world;
    this.#traits = traits;
    this.#isStubborn = isStubborn;
    this.#say = say;
  }

  get greeted(): boolean {
    return this.#greeted;
  }

  end(): void {
    this.#end.abort(new Error("the container is gone"));
  }

  /** The next thing that it does by itself; `well` is without mishaps. Answers whether it has ended. */
  async goOn(held: HeldContainer, random: Random, well: boolean): Promise<"ended" | undefined> {
    if (held.phase === "preparing") {
      this.#world.worker.run(this.id);
      return undefined;
    }
    if (!this.#greeted) {
      this.#greeted = true;
      await this.#world.asContainer(this.id, rpc.containerHello, {});
      return undefined;
    }
    if (!this.#beating) this.beat();
    const isDone = this.#toldToEnd || (this.#traits.singleUse && this.#served);
    if (isDone && this.holds.size === 0) return "ended";
    const { slots, batchSize, ahead } = this.#traits;
    const hasRoom = this.holds.size === 0 || (batchSize + ahead === 0 && this.holds.size < slots);
    if (!isDone && hasRoom && !this.#asking && (this.holds.size === 0 || random.once(2))) {
      this.ask(() => !well && random.once(8));
    } else if (this.holds.size > 0) await this.#report(random, well);
    return undefined;
  }

  /**
   * Asks for inputs; also while an earlier request is still open, as after a broken connection. `isLost` says of a reply
   * whether it gets lost on its way: then the same request is made again.
   */
  ask(isLost: () => boolean, idempotencyKey: string = this.#world.newKey()): void {
    this.#asking = true;
    const { slots, batchSize, ahead } = this.#traits;
    const request = {
      inputConcurrency: slots,
      batchMaxSize: batchSize + ahead,
      batchLingerMs: batchSize > 0 ? 300n : 0n,
    };
    const options = { ...this.#mortal(), idempotencyKey };
    this.#then(this.#world.asContainer(this.id, rpc.functionGetInputs, request, options), ({ inputs }) => {
      if (isLost()) return this.ask(isLost, idempotencyKey);
      this.#asking = false;
      for (const { killSwitch, inputId, functionCallId: callId, retryCount, input } of inputs) {
        if (killSwitch) {
          this.#toldToEnd = true;
          continue;
        }
        const argument = new TextDecoder().decode(input?.argsOneof.value as Uint8Array);
        this.#served = true;
        this.holds.set(inputId, { inputId, callId, retryCount, argument });
      }
    });
  }

  /** What waits behind the input that runs is left to others; answers what that is. */
  async giveBack(): Promise<readonly Given[]> {
    const waiting = this.#traits.ahead > 0 ? [...this.holds.values()].slice(1) : [];
    if (waiting.length === 0) return waiting;
    for (const { inputId } of waiting) this.holds.delete(inputId);
    await this.#world.asContainer(this.id, call.Calls.method.giveBack, { inputs: waiting });
    return waiting;
  }

  get isAsking(): boolean {
    return this.#asking;
  }

  beat(): void {
    this.#beating = true;
    this.#then(this.#world.asContainer(this.id, rpc.containerHeartbeat, {}, this.#mortal()), (reply) => {
      this.#beating = false;
      for (const id of reply.cancelInputEvent?.inputIds ?? []) {
        const given = this.holds.get(id);
        if (given !== undefined) this.#toStop.add(`${id} ${given.retryCount}`);
      }
    });
  }

  async #report(random: Random, well: boolean): Promise<void> {
    const all = [...this.holds.values()];
    const { batchSize, ahead } = this.#traits;
    const some = batchSize > 0 ? all : ahead > 0 ? all.slice(0, 1) : [random.pick(all) ?? []].flat();
    if (this.#isStubborn && !well) return;
    const isToStop = some.some(({ inputId, retryCount }) => this.#toStop.has(`${inputId} ${retryCount}`));
    for (const { inputId } of some) this.holds.delete(inputId);
    const status = isToStop ? Status.TERMINATED : !well && random.once(4) ? Status.FAILURE : Status.SUCCESS;
    await this.#say(this.id, some, status);
  }

  #mortal(): { signal: AbortSignal } {
    return { signal: this.#end.signal };
  }

  /** What comes of a request that is answered at some time, or never. */
  #then<T>(reply: Promise<T>, act: (value: T) => void): void {
    void reply.then(
      (value) => this.#end.signal.aborted || act(value),
      () => {}, // its life ended meanwhile, or the test did
    );
  }
}

/** What is put on the wire for these attempts. */
export function outputsOf(given: readonly Given[], status: Status, text?: string) {
  return given.map(({ inputId, retryCount, argument }) => {
    const value = new TextEncoder().encode(text ?? argument);
    const result =
      status === Status.SUCCESS
        ? { status, dataOneof: { case: "data" as const, value } }
        : { status, exception: status === Status.FAILURE ? "it raised" : "" };
    return { inputId, retryCount, result, dataFormat: DataFormat.PICKLE };
  });
}

export const crash = { reason: wire.Exit_Reason.EXITED, code: 1 };
