/** Everything that can happen around the server, one random event after the other; nothing acts by itself. */
import { DataFormat, GenericResult_GenericStatus as Status, worker as wire } from "@lydian/contract";
import { type HeldContainer, type Random, seededRandom } from "@lydian/testkit";

import { World, rpc } from "./world.ts";

/** A submitted call, and what its client knows of it. */
export interface MadeCall {
  id: string;
  argument: string;
  key: string;
  madeAt: number;
}

/** What a container does and has, as far as it itself knows. */
interface Life {
  end: AbortController;
  greeted: boolean;
  /** A request for inputs that is not answered yet. */
  asking: boolean;
  holds: { inputId: string; argument: string } | undefined;
  toldToEnd: boolean;
}

type Event = (chaos: Chaos) => Promise<void> | void;

/** Calls that nobody has answered yet, at most. */
const mostOpen = 8;

/** How long after its first time a request may come again: within the time for which its reply is kept. */
const repeatedWithinMs = 300_000;

const events: readonly (readonly [weight: number, name: string, event: Event])[] = [
  [10, "submit", (chaos) => chaos.submit()],
  [4, "repeat a request", (chaos) => chaos.repeat()],
  [40, "a container goes on", (chaos) => chaos.goOn()],
  [3, "a container asks again", (chaos) => chaos.askAgain()],
  [3, "an output comes twice", (chaos) => chaos.completeTwice()],
  [3, "an output comes from a stranger", (chaos) => chaos.completeAsStranger()],
  [3, "a container crashes", (chaos) => chaos.crash({ reason: wire.Exit_Reason.EXITED, code: 1 })],
  [1, "a container runs out of memory", (chaos) => chaos.crash({ reason: wire.Exit_Reason.OUT_OF_MEMORY })],
  [2, "a container is lost", (chaos) => chaos.crash({ reason: wire.Exit_Reason.LOST })],
  [1, "a container cannot be started", (chaos) => chaos.crash({ reason: wire.Exit_Reason.FAILED_TO_START })],
  [1, "an import fails", (chaos) => chaos.failImport()],
  [3, "the session breaks", ({ world }) => world.worker.drop()],
  [1, "the host is lost", (chaos) => chaos.loseHost()],
  [2, "the server is killed", (chaos) => chaos.kill()],
  [3, "the server will be killed", (chaos) => chaos.plotKill()],
  [6, "a moment passes", (chaos) => chaos.pass(50)],
  [4, "a second passes", (chaos) => chaos.pass(1_000)],
  [2, "some time passes", (chaos) => chaos.pass(20_000)],
];

export class Chaos implements AsyncDisposable {
  readonly world: World;
  readonly calls: MadeCall[] = [];
  /** The last events, newest last: what a failure is reported with. */
  readonly history: string[] = [];
  readonly #random: Random;
  readonly #lives = new Map<string, Life>();
  /** What cannot be waited for where it is begun. */
  readonly #under: Promise<unknown>[] = [];
  /** An output that was said once. */
  #lastOutput: { containerId: string; inputId: string; argument: string } | undefined;

  private constructor(world: World, seed: number) {
    this.world = world;
    this.#random = seededRandom(seed);
  }

  static async begin(seed: number): Promise<Chaos> {
    const chaos: Chaos = new Chaos(
      await World.begin(
        { onStop: ({ id }) => chaos.#end(id, { reason: wire.Exit_Reason.STOPPED }) },
        { concurrencyLimit: 3, timeoutSecs: 40 },
      ),
      seed,
    );
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
    if (!this.world.worker.isConnected) await this.#join();
    for (const held of this.world.worker.containers.values()) await this.#goOn(held);
    await this.pass(1_000);
    await this.world.rest();
  }

  async submit(): Promise<void> {
    const { queued, claimed } = await this.world.counts();
    if (queued + claimed >= mostOpen) return;
    const [argument, key] = [`call ${this.calls.length}`, this.world.newKey()];
    const id = await this.world.submit(argument, key);
    this.calls.push({ id, argument, key, madeAt: this.world.clock.now() });
  }

  async repeat(): Promise<void> {
    const call = this.#random.pick(this.calls);
    if (call === undefined || call.madeAt + repeatedWithinMs < this.world.clock.now()) return;
    const again = await this.world.submit(call.argument, call.key);
    if (again !== call.id) throw new Error(`the repetition of ${call.id} became ${again}`);
  }

  async goOn(): Promise<void> {
    const held = this.#any();
    if (held !== undefined) await this.#goOn(held);
  }

  /** Its connection broke and it repeats its request, though the first one is still open at the server. */
  askAgain(): void {
    const held = this.#any();
    const life = held && this.#lives.get(held.id);
    if (held !== undefined && life?.asking === true) this.#ask(held.id, life);
  }

  async completeTwice(): Promise<void> {
    const last = this.#lastOutput;
    if (last !== undefined) await this.#say(last.containerId, last.inputId, `${last.argument}, again`);
  }

  async completeAsStranger(): Promise<void> {
    const holder = [...this.#lives].find(([, { holds }]) => holds !== undefined);
    const stranger = this.#any();
    if (holder === undefined || stranger === undefined || stranger.id === holder[0]) return;
    await this.#say(stranger.id, holder[1].holds?.inputId ?? "", "a stranger's");
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

  loseHost(): void {
    for (const { end } of this.#lives.values()) end.abort(new Error("the host is gone"));
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

  async pass(ms: number): Promise<void> {
    await this.world.clock.advance(ms);
    await this.world.keepAlive();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { end } of this.#lives.values()) end.abort(new Error("the test is over"));
    await this.world[Symbol.asyncDispose]();
    await Promise.allSettled(this.#under);
  }

  async #join(): Promise<void> {
    await this.world.join().catch(() => {}); // a session that was broken off at once
  }

  #any(): HeldContainer | undefined {
    const alive = [...this.world.worker.containers.values()].filter(({ phase }) => phase !== "gone");
    return this.#random.pick(alive);
  }

  #lifeOf({ id }: HeldContainer): Life {
    const known = this.#lives.get(id);
    if (known !== undefined) return known;
    const life: Life = {
      end: new AbortController(),
      greeted: false,
      asking: false,
      holds: undefined,
      toldToEnd: false,
    };
    this.#lives.set(id, life);
    return life;
  }

  /** The next thing that a container does by itself. */
  async #goOn(held: HeldContainer): Promise<void> {
    if (held.phase === "gone") return;
    const life = this.#lifeOf(held);
    if (held.phase === "preparing") return this.world.worker.run(held.id);
    if (life.toldToEnd) return this.#end(held.id, { reason: wire.Exit_Reason.EXITED });
    if (!life.greeted) {
      life.greeted = true;
      await this.world.asContainer(held.id, rpc.containerHello, {});
    } else if (life.holds !== undefined) {
      const { inputId, argument } = life.holds;
      life.holds = undefined;
      this.#lastOutput = { containerId: held.id, inputId, argument };
      await this.#say(held.id, inputId, argument);
    } else if (!life.asking) {
      this.#ask(held.id, life);
    }
  }

  #ask(id: string, life: Life): void {
    life.asking = true;
    const { signal } = life.end;
    const asked = this.world.asContainer(id, rpc.functionGetInputs, { inputConcurrency: 1 }, { signal }).then(
      ({ inputs: [item] }) => {
        life.asking = false;
        if (item?.killSwitch === true) life.toldToEnd = true;
        else if (item !== undefined) {
          const argument = new TextDecoder().decode(item.input?.argsOneof.value as Uint8Array);
          life.holds = { inputId: item.inputId, argument };
        }
      },
      () => {}, // its life ended meanwhile, or the test did
    );
    this.#under.push(asked);
  }

  async #say(containerId: string, inputId: string, text: string): Promise<void> {
    const value = new TextEncoder().encode(text);
    const result = { status: Status.SUCCESS, dataOneof: { case: "data" as const, value } };
    const outputs = [{ inputId, result, dataFormat: DataFormat.PICKLE }];
    await this.world.asContainer(containerId, rpc.functionPutOutputs, { outputs });
  }

  #end(id: string, exit: Parameters<World["worker"]["exit"]>[1]): void {
    this.#lives.get(id)?.end.abort(new Error("the container is gone"));
    this.#lives.delete(id);
    this.world.worker.exit(id, exit);
  }
}
