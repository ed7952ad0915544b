/** A client and containers that do their part of a call by themselves, and say at each step where they are. */
import {
  DataFormat,
  type FunctionGetOutputsItem,
  GenericResult_GenericStatus as Status,
  worker as wire,
} from "@lydian/contract";
import { sleep } from "@lydian/kit";
import type { HeldContainer } from "@lydian/testkit";

import { World, rpc } from "./world.ts";

/** Where a call can be, in its order. */
export const steps = [
  "accepted",
  "assigned",
  "running",
  "greeted",
  "claimed",
  "computed",
  "completed",
  "answered",
] as const;

export type Step = (typeof steps)[number];

/** What may happen at a step. Whoever has come there waits for its end. */
export type Interruption = (stage: Stage, containerId: string) => Promise<void> | void;

/** What a container makes of its argument. */
export const answerTo = (argument: string): string => `hello ${argument}`;

/** A world in which the worker's containers live by themselves. */
export class Stage implements AsyncDisposable {
  readonly world: World;
  /** In the order in which they were reached. */
  readonly reached: Step[] = [];
  readonly #lives = new Map<string, AbortController>();
  readonly #faults: unknown[] = [];
  #interruption: { at: Step; act: Interruption } | undefined;
  #awayMs = 0;
  #isOver = false;

  private constructor(world: World) {
    this.world = world;
  }

  static async set(): Promise<Stage> {
    const raised: HeldContainer[] = [];
    let raise = (container: HeldContainer): void => void raised.push(container);
    const world = await World.begin({
      onAssign: (container) => raise(container),
      onStop: (container) => stage.end(container.id, { reason: wire.Exit_Reason.STOPPED }),
    });
    const stage = new Stage(world);
    raise = (container) => stage.#watch(stage.#live(container));
    stage.#watch(stage.#keepJoined());
    return stage;
  }

  /** Once, when somebody first comes to this step. */
  interrupt(at: Step, act: Interruption): void {
    this.#interruption = { at, act };
  }

  /** From the next break of its session on, the worker stays away for this long. */
  stayAway(ms: number): void {
    this.#awayMs = ms;
  }

  /** A whole call as a client makes it. */
  async call(argument: string, key: string = this.world.newKey()): Promise<FunctionGetOutputsItem[]> {
    const id = await this.world.submit(argument, key);
    await this.#reach("accepted", "");
    const outputs = await this.world.outputs(id);
    await this.#reach("answered", "");
    return outputs;
  }

  /** The container is no more; its worker says so. */
  end(id: string, exit: Parameters<World["worker"]["exit"]>[1]): void {
    this.#lives.get(id)?.abort(new Error("the container is gone"));
    if (this.world.worker.containers.has(id)) this.world.worker.exit(id, exit);
  }

  /** The host is no more: all containers end and nobody is there to say so. Another worker takes its place and name. */
  loseHost(): void {
    for (const life of this.#lives.values()) life.abort(new Error("the host is gone"));
    this.world.worker.die();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    for (const life of this.#lives.values()) life.abort(new Error("the test is over"));
    await this.world[Symbol.asyncDispose]();
    if (this.#faults.length > 0) throw new AggregateError(this.#faults, "an actor failed");
  }

  async #reach(step: Step, containerId: string): Promise<void> {
    this.reached.push(step);
    const interruption = this.#interruption;
    if (interruption?.at !== step) return;
    this.#interruption = undefined;
    await interruption.act(this, containerId);
  }

  /** The worker opens a new session whenever it has none. */
  async #keepJoined(): Promise<void> {
    const { worker } = this.world;
    while (!this.#isOver) {
      await this.world.join().catch(() => {}); // the server died while it joined
      await worker.ended();
      await this.world.clock.settle();
      if (this.#awayMs > 0) await sleep(this.world.clock, this.#awayMs);
      this.#awayMs = 0;
    }
  }

  /** A container's life, as the stock client leads it: one input at a time until it is told to end. */
  async #live({ id }: HeldContainer): Promise<void> {
    const { world } = this;
    const life = new AbortController();
    this.#lives.set(id, life);
    const { signal } = life;
    const goOn = async (step: Step): Promise<void> => {
      await this.#reach(step, id);
      signal.throwIfAborted();
    };
    try {
      await goOn("assigned");
      world.worker.run(id);
      await goOn("running");
      await world.asContainer(id, rpc.containerHello, {}, { signal });
      await goOn("greeted");
      for (;;) {
        const { inputs } = await world.asContainer(id, rpc.functionGetInputs, { inputConcurrency: 1 }, { signal });
        const [item] = inputs;
        if (item?.killSwitch === true) break;
        if (item === undefined) continue;
        await goOn("claimed");
        const argument = new TextDecoder().decode(item.input?.argsOneof.value as Uint8Array);
        const data = new TextEncoder().encode(answerTo(argument));
        const result = { status: Status.SUCCESS, dataOneof: { case: "data" as const, value: data } };
        await goOn("computed");
        const { inputId, retryCount } = item;
        const outputs = [{ inputId, retryCount, result, dataFormat: DataFormat.PICKLE }];
        await world.asContainer(id, rpc.functionPutOutputs, { outputs }, { signal });
        await goOn("completed");
      }
      this.end(id, { reason: wire.Exit_Reason.EXITED });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** What goes wrong with an actor by itself is the test's failure. */
  #watch(acts: Promise<void>): void {
    acts.catch((error: unknown) => this.#isOver || this.#faults.push(error));
  }
}
