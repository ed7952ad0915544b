/** Everything that can happen around the server, one random event after the other; nothing acts by itself. */
import assert from "node:assert/strict";

import type { MessageInitShape } from "@bufbuild/protobuf";
import { type FunctionSchema$, GenericResult_GenericStatus as Status, worker as wire } from "@lydian/contract";
import { type HeldContainer, type Random, seededRandom } from "@lydian/testkit";

import type { Input } from "../../src/domain/input.ts";
import { beginAudit } from "./audit.ts";
import { type Given, Life, type Traits, outputsOf } from "./life.ts";
import { World, rpc } from "./world.ts";

/** A submitted call, and what its client knows of it. */
export interface MadeCall {
  id: string;
  /** By the ids of its inputs; a unary call has one, whose id nobody was told. */
  texts: readonly string[];
  madeAt: number;
  /** Of a unary call. */
  key: string | undefined;
  isOpen: boolean;
  cancelledAt: number | undefined;
}

interface Said {
  containerId: string;
  given: Given;
}

type Event = (chaos: Chaos) => Promise<void> | void;

/** Inputs that nobody has answered yet, at most; and how many times as many where containers take some ahead, which is a share of them. */
const mostOpen = 8;
const aheadFactor = 4;

/** How long after its first time a request may come again: within the time for which its reply is kept. */
const repeatedWithinMs = 300_000;

/** How long a container may take to stop an input, as the server's settings have it. */
const stopGraceMs = 3_000;

/** What an attempt may take at most, whichever definition it began under. */
const mostTimeoutSecs = 30;

/** Containers that there are at most. */
export const mostContainers = 3;

/** What kind of function it is, by the seed. */
const kinds = [
  [{ slots: 1, batchSize: 0, singleUse: false, ahead: 0 }, {}],
  [
    { slots: 3, batchSize: 0, singleUse: false, ahead: 0 },
    { maxConcurrentInputs: 3, targetConcurrentInputs: 2 },
  ],
  [
    { slots: 1, batchSize: 3, singleUse: false, ahead: 0 },
    { batchMaxSize: 3, batchLingerMs: 300n },
  ],
  [{ slots: 1, batchSize: 0, singleUse: true, ahead: 0 }, { singleUseContainers: true }],
  [{ slots: 1, batchSize: 0, singleUse: false, ahead: 4 }, {}],
] as const satisfies (readonly [traits: Traits, definition: MessageInitShape<typeof FunctionSchema$>])[];

const events: readonly (readonly [weight: number, name: string, event: Event])[] = [
  [10, "submit", (chaos) => chaos.submit()],
  [5, "submit a map", (chaos) => chaos.submitMap()],
  [2, "a map is complete", (chaos) => chaos.finishMap()],
  [4, "repeat a request", (chaos) => chaos.repeat()],
  [4, "cancel a call", (chaos) => chaos.cancel()],
  [50, "a container goes on", (chaos) => chaos.goOn()],
  [3, "a container asks again", (chaos) => chaos.askAgain()],
  [4, "an output of an attempt that is over", (chaos) => chaos.sayStale()],
  [3, "an output of a stranger", (chaos) => chaos.sayAsStranger()],
  [3, "code gives a piece", (chaos) => chaos.givePiece()],
  [6, "a container gives back", (chaos) => chaos.giveBack()],
  [3, "a container crashes", (chaos) => chaos.crash({ reason: wire.Exit_Reason.EXITED, code: 1 })],
  [1, "a container runs out of memory", (chaos) => chaos.crash({ reason: wire.Exit_Reason.OUT_OF_MEMORY })],
  [2, "a container is lost", (chaos) => chaos.crash({ reason: wire.Exit_Reason.LOST })],
  [1, "a container cannot be started", (chaos) => chaos.crash({ reason: wire.Exit_Reason.FAILED_TO_START })],
  [1, "an import fails", (chaos) => chaos.failImport()],
  [2, "the function is defined anew", (chaos) => chaos.redefine()],
  [2, "its scaling changes", (chaos) => chaos.changeScaling()],
  [3, "the session breaks", ({ world }) => world.worker.drop()],
  [1, "the host is lost", (chaos) => chaos.loseHost()],
  [2, "the server is killed", (chaos) => chaos.kill()],
  [3, "the server will be killed", (chaos) => chaos.plotKill()],
  [6, "a moment passes", (chaos) => chaos.pass(50)],
  [4, "a second passes", (chaos) => chaos.pass(1_000)],
  [5, "some time passes", (chaos) => chaos.pass(20_000)],
];

export class Chaos implements AsyncDisposable {
  readonly world: World;
  readonly calls: MadeCall[] = [];
  /** The last events, newest last: what a failure is reported with. */
  readonly history: string[] = [];
  /** How often the code of an input failed, as far as the server had to believe it. */
  readonly failures = new Map<string, number>();
  readonly #random: Random;
  readonly #kind: (typeof kinds)[number];
  readonly #lives = new Map<string, Life>();
  /** Attempts whose outputs were said once. */
  readonly #said: Said[] = [];

  private constructor(world: World, seed: number) {
    this.world = world;
    this.#random = seededRandom(seed);
    this.#kind = kindOf(seed);
  }

  static async begin(seed: number): Promise<Chaos> {
    const world = await World.begin(
      { onStop: ({ id }) => chaos.#end(id, { reason: wire.Exit_Reason.STOPPED }) },
      definitionOf(kindOf(seed), { retries: 2, timeoutSecs: mostTimeoutSecs }),
    );
    const chaos: Chaos = new Chaos(world, seed);
    beginAudit(world.file);
    return chaos;
  }

  /** One random event, and all that follows from it without any time passing. */
  async step(): Promise<void> {
    const total = events.reduce((sum, [weight]) => sum + weight, 0);
    let left = this.#random.below(total);
    for (const [weight, name, event] of events) {
      left -= weight;
      if (left >= 0) continue;
      this.history.push(name);
      await event(this);
      break;
    }
    if (!this.world.worker.isConnected && this.#random.once(3)) await this.#join();
    await this.world.rest();
  }

  /** From here on everything goes well: one round of it, with a second of time. */
  async heal(): Promise<void> {
    (await this.world.server()).fault = undefined;
    for (const call of this.calls) if (call.isOpen) await this.#finish(call);
    if (!this.world.worker.isConnected) await this.#join();
    for (const held of this.world.worker.containers.values()) await this.#goOn(held, true);
    await this.pass(1_000);
    await this.world.rest();
  }

  /** Before this every attempt that was begun is over. */
  get allEndedBefore(): number {
    const inTurn = Math.max(1, this.#kind[0].ahead);
    return this.world.clock.now() - inTurn * (mostTimeoutSecs * 1_000 + stopGraceMs);
  }

  /** Calls that were cancelled so long ago that their containers have obeyed, or are dead. */
  get overdue(): MadeCall[] {
    const before = this.world.clock.now() - stopGraceMs;
    return this.calls.filter(({ cancelledAt }) => cancelledAt !== undefined && cancelledAt <= before);
  }

  async submit(): Promise<void> {
    if (await this.#isFull()) return;
    const [text, key] = [`call ${this.calls.length}`, this.world.newKey()];
    const id = await this.world.submit(text, key);
    this.#made({ id, texts: [text], key, isOpen: false });
  }

  async submitMap(): Promise<void> {
    if (await this.#isFull()) return;
    const texts = Array.from(
      { length: this.#factor * (2 + this.#random.below(3)) },
      (_, n) => `call ${this.calls.length}, ${n}`,
    );
    const isOpen = this.#random.once(3);
    const { id } = await this.world.map(texts, isOpen);
    this.#made({ id, texts, key: undefined, isOpen });
  }

  async finishMap(): Promise<void> {
    const call = this.#random.pick(this.calls.filter(({ isOpen }) => isOpen));
    if (call !== undefined) await this.#finish(call);
  }

  async repeat(): Promise<void> {
    const call = this.#random.pick(this.calls);
    if (call?.key === undefined || call.madeAt + repeatedWithinMs < this.world.clock.now()) return;
    const again = await this.world.submit(call.texts[0] ?? "", call.key);
    assert.equal(again, call.id, `the repetition of ${call.id} became ${again}`);
  }

  async cancel(): Promise<void> {
    const running = [...this.#lives.values()].flatMap(({ holds }) => [...holds.values()].map(({ callId }) => callId));
    const some = this.#random.once(2)
      ? this.calls.filter(({ id }) => running.includes(id))
      : this.calls.slice(-mostOpen);
    const call = this.#random.pick(some);
    if (call === undefined) return;
    const terminateContainers = this.#random.once(4);
    await this.world.asUser(rpc.functionCallCancel, { functionCallId: call.id, terminateContainers });
    call.cancelledAt ??= this.world.clock.now();
    call.isOpen = false;
  }

  async goOn(): Promise<void> {
    const held = this.#any();
    if (held === undefined) return;
    await this.#goOn(held, false);
    const again = this.#said.filter((said) => said.containerId === held.id && this.#heldNow(said) !== undefined);
    const stale = this.#random.pick(again);
    if (stale !== undefined && this.#random.once(2)) await this.#sayStale(stale);
  }

  /** Its connection broke and it repeats its request, though the first one is still open at the server. */
  askAgain(): void {
    const held = this.#any();
    const life = held && this.#lives.get(held.id);
    if (life?.isAsking === true) life.ask(() => this.#random.once(8));
  }

  async sayStale(): Promise<void> {
    const stale = this.#random.pick(this.#said.filter(({ containerId }) => this.#lives.has(containerId)));
    if (stale !== undefined) await this.#sayStale(stale);
  }

  async sayAsStranger(): Promise<void> {
    const holder = [...this.#lives.values()].find(({ holds }) => holds.size > 0);
    const stranger = this.#any();
    const [given] = holder?.holds.values() ?? [];
    if (given === undefined || stranger === undefined || stranger.id === holder?.id) return;
    await this.#say(stranger.id, [given], Status.SUCCESS, "a stranger's");
    const { store } = await this.world.server();
    const held = await store.read((tx) => tx.inputs.heldBy(stranger.id));
    if (held.some(({ callId }) => callId === given.callId)) return; // it runs another input of the same map
    await this.#give(stranger.id, given, "a stranger's");
  }

  async giveBack(): Promise<void> {
    const life = this.#random.pick([...this.#lives.values()].filter(({ holds }) => holds.size > 1));
    if (life === undefined) return;
    const before = await this.#look([...life.holds.values()]);
    const given = await life.giveBack();
    const after = await this.#look(given);
    for (const { inputId, retryCount } of given) {
      const [was, is] = [before.inputs.get(inputId), after.inputs.get(inputId)];
      if (was === undefined || is === undefined) continue; // forgotten with its call
      assert.ok(is.state !== "claimed" || is.attempt > retryCount + 1, "its container has it no more");
      assert.deepEqual([is.failures, is.crashes], [was.failures, was.crashes], "it has failed at nothing");
    }
  }

  async givePiece(): Promise<void> {
    const life = this.#random.pick([...this.#lives.values()].filter(({ holds }) => holds.size > 0));
    const [given] = life?.holds.values() ?? [];
    if (life !== undefined && given !== undefined) await this.#give(life.id, given, `of ${given.callId}`);
  }

  crash(exit: Parameters<World["worker"]["exit"]>[1]): void {
    const held = this.#any();
    if (held !== undefined) this.#end(held.id, exit);
  }

  async failImport(): Promise<void> {
    const held = this.#any();
    if (held === undefined || !this.#lifeOf(held).greeted) return;
    const result = { status: Status.FAILURE, exception: "the container's import failed" };
    await this.world.asContainer(held.id, rpc.taskResult, { result });
    this.#end(held.id, { reason: wire.Exit_Reason.EXITED });
  }

  async redefine(): Promise<void> {
    const [retries, timeoutSecs] = [this.#random.below(4), mostTimeoutSecs - this.#random.below(15)];
    await this.world.define(definitionOf(this.#kind, { retries, timeoutSecs }));
    if (this.#random.once(2)) await this.world.publish();
  }

  async changeScaling(): Promise<void> {
    const maxContainers = 1 + this.#random.below(mostContainers);
    const settings = { maxContainers, minContainers: this.#random.below(2), bufferContainers: this.#random.below(2) };
    await this.world.asUser(rpc.functionUpdateSchedulingParams, { functionId: this.world.functionId, settings });
  }

  loseHost(): void {
    for (const life of this.#lives.values()) life.end();
    this.#lives.clear();
    this.world.worker.die();
  }

  async kill(): Promise<void> {
    (await this.world.server()).kill();
  }

  async plotKill(): Promise<void> {
    const server = await this.world.server();
    const when = this.#random.once(2) ? "before" : "after";
    server.fault = { write: server.writes + 1 + this.#random.below(4), when };
  }

  /** Whoever is there says so often enough. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 5_000) {
      await this.world.clock.advance(Math.min(left, 5_000));
      await this.world.keepAlive();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const life of this.#lives.values()) life.end();
    await this.world[Symbol.asyncDispose]();
  }

  /** The attempt of this input that its container has now. */
  #heldNow({ containerId, given }: Said): number | undefined {
    return this.#lives.get(containerId)?.holds.get(given.inputId)?.retryCount;
  }

  async #sayStale(said: Said): Promise<void> {
    // The very same attempt may be there again: a server that was killed hands out again what it has forgotten it did.
    if (this.#heldNow(said) === said.given.retryCount) return;
    const status = this.#random.once(2) ? Status.SUCCESS : Status.FAILURE;
    await this.#say(said.containerId, [said.given], status, "too late");
  }

  #made(call: Omit<MadeCall, "madeAt" | "cancelledAt">): void {
    this.calls.push({ ...call, madeAt: this.world.clock.now(), cancelledAt: undefined });
  }

  async #finish(call: MadeCall): Promise<void> {
    await this.world.asUser(rpc.functionFinishInputs, { functionCallId: call.id });
    call.isOpen = false;
  }

  async #isFull(): Promise<boolean> {
    const { queued, claimed, delayed } = await this.world.counts();
    return queued + claimed + delayed >= mostOpen * this.#factor;
  }

  get #factor(): number {
    return this.#kind[0].ahead > 0 ? aheadFactor : 1;
  }

  async #join(): Promise<void> {
    await this.world.join().catch(() => {}); // a session that was broken off at once
  }

  #any(): HeldContainer | undefined {
    const alive = [...this.world.worker.containers.values()].filter(({ phase }) => phase !== "gone");
    return this.#random.pick(alive);
  }

  #lifeOf(held: HeldContainer): Life {
    const known = this.#lives.get(held.id);
    if (known !== undefined) return known;
    const life = new Life(held, this.world, this.#kind[0], this.#random.once(5), (id, given, status) =>
      this.#say(id, given, status),
    );
    this.#lives.set(held.id, life);
    return life;
  }

  async #goOn(held: HeldContainer, well: boolean): Promise<void> {
    if (held.phase === "gone") return;
    const ended = await this.#lifeOf(held).goOn(held, this.#random, well);
    if (ended !== undefined) this.#end(held.id, { reason: wire.Exit_Reason.EXITED });
  }

  /** A container says how attempts went, and what becomes of their inputs is what the model says. */
  async #say(containerId: string, given: readonly Given[], status: Status, text?: string): Promise<void> {
    const before = await this.#look(given);
    await this.world.asContainer(containerId, rpc.functionPutOutputs, { outputs: outputsOf(given, status, text) });
    const after = await this.#look(given);
    for (const each of given) {
      this.#said.push({ containerId, given: each });
      const [was, is] = [before.inputs.get(each.inputId), after.inputs.get(each.inputId)];
      if (was === undefined || is === undefined) continue; // forgotten with its call
      const holds = was.containerId === containerId && was.attempt === each.retryCount + 1 && was.state === "claimed";
      if (!holds) assert.deepEqual(is, was, "who does not hold this attempt changes nothing");
      else this.#assertReported(was, is, status, before.retries);
    }
  }

  #assertReported(was: Input, is: Input, status: Status, retries: number): void {
    const isTold = was.ending !== undefined;
    assert.ok(is.state !== "claimed" || is.attempt > was.attempt, "its container has it no more");
    if (status === Status.SUCCESS) assert.equal(is.state, "done");
    if (status !== Status.FAILURE || isTold) return;
    this.failures.set(was.id, (this.failures.get(was.id) ?? 0) + 1);
    const again = was.failures < retries;
    assert.equal(is.failures, was.failures + (again ? 1 : 0), "a failure is counted when it is tried again");
    assert.equal(is.state === "done", !again);
  }

  async #look(given: readonly Given[]): Promise<{ inputs: Map<string, Input>; retries: number }> {
    const { store } = await this.world.server();
    return await store.read(async (tx) => {
      const found = await Promise.all(given.map(({ inputId }) => tx.inputs.get(inputId)));
      const inputs = found.flatMap((input) => (input === undefined ? [] : [[input.id, input] as const]));
      const retries = (await tx.functions.demand(this.world.functionId))?.policy.retry.retries ?? 0;
      return { inputs: new Map(inputs), retries };
    });
  }

  async #give(containerId: string, { callId }: Given, text: string): Promise<void> {
    const dataOneof = { case: "data" as const, value: new TextEncoder().encode(text) };
    await this.world.asContainer(containerId, rpc.functionCallPutDataOut, {
      callInfo: { case: "functionCallId", value: callId },
      dataChunks: [{ index: BigInt(1 + this.#random.below(3)), dataOneof }],
    });
  }

  #end(id: string, exit: Parameters<World["worker"]["exit"]>[1]): void {
    this.#lives.get(id)?.end();
    this.#lives.delete(id);
    this.world.worker.exit(id, exit);
  }
}

function kindOf(seed: number): (typeof kinds)[number] {
  return kinds[seed % kinds.length] ?? assert.fail("no such kind");
}

function definitionOf(
  [, own]: (typeof kinds)[number],
  { retries, timeoutSecs }: { retries: number; timeoutSecs: number },
): MessageInitShape<typeof FunctionSchema$> {
  const retryPolicy = { retries, initialDelayMs: 700, backoffCoefficient: 2, maxDelayMs: 5_000 };
  return { ...own, concurrencyLimit: mostContainers, timeoutSecs, retryPolicy };
}
