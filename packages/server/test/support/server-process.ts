/**
 * One life of the server without its port: the real parts over a real folder, RPCs and sessions called in process, and a
 * death that can be had at any commit. What is dead does nothing more: no timer fires, no reply comes, nothing is written.
 */
import { join } from "node:path";

import {
  type DescMessage,
  type DescMethod,
  type MessageInitShape,
  type MessageShape,
  create,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import type { worker as wire } from "@lydian/contract";
import { Bells, type Clock, type NewId, silentLogger } from "@lydian/kit";
import type { ManualClock, OpenSession } from "@lydian/testkit";

import { type Assembly, assemble, closeAll, startAll } from "../../src/assemble.ts";
import { type ServerConfig, type ServerConfigInput, serverConfigSchema } from "../../src/config.ts";
import { ContentStore } from "../../src/content/content-store.ts";
import { Unneeded } from "../../src/content/unneeded.ts";
import type { Store } from "../../src/domain/store.ts";
import type { Garbage, GarbageWish } from "../../src/images/collect.ts";
import { ensureIdentity } from "../../src/identity/first-start.ts";
import { LogBook } from "../../src/logs/log-book.ts";
import type { BoundRpc } from "../../src/rpc/adapter-access.ts";
import type { Call, Caller } from "../../src/rpc/adapter-call.ts";
import { admit } from "../../src/rpc/adapter-identity.ts";
import { KeyRing } from "../../src/secrets/key-ring.ts";
import { Vault } from "../../src/secrets/vault.ts";
import { StatisticsBook } from "../../src/statistics/book.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { doorResolver } from "../../src/workers/doors.ts";
import { runSession } from "../../src/workers/session-stream.ts";
import { syncInATurn } from "./open-store.ts";

/** What a client sees when the server dies under its request: it repeats it. */
export class ConnectionLost extends Error {}

/** Dies at the write with this number, counted from 1: just before it is done, or just after, before anybody hears of it. */
export interface Fault {
  write: number;
  when: "before" | "after";
}

export interface Request {
  caller: Caller;
  idempotencyKey?: string;
  signal?: AbortSignal;
}

export type Settings = Pick<ServerConfigInput, "limits" | "times">;

/** A promise of something that the dead will never do. */
const never = new Promise<never>(() => {});

export class ServerProcess {
  readonly store: Store;
  readonly bells: Bells;
  readonly resolveDoor: ReturnType<typeof doorResolver>;
  /** Writes so far. */
  writes = 0;
  /** Set at any time: where to die. */
  fault: Fault | undefined;
  readonly #life = new AbortController();
  readonly #disk: Store;
  readonly #rpcs: ReadonlyMap<string, BoundRpc>;
  readonly #assembly: Assembly;

  private constructor(
    config: ServerConfig,
    { disk, bells }: { disk: Store; bells: Bells },
    { content, ring, unneeded }: { content: ContentStore; ring: KeyRing; unneeded: Unneeded },
    clock: ManualClock,
    newId: NewId,
  ) {
    this.bells = bells;
    this.#disk = disk;
    this.store = this.#mortal(disk);
    const mortalClock: Clock = {
      now: () => clock.now(),
      timer: (delayMs, fire) => clock.timer(delayMs, () => this.isDead || fire()),
    };
    const serverKey = new Uint8Array(32).fill(7);
    const { store } = this;
    this.#logBook = new LogBook({ folder: join(config.data, "logs"), store, bells });
    const statistics = new StatisticsBook({ store, clock: mortalClock, log: silentLogger });
    this.#assembly = assemble({
      ...{ config, store, bells, clock: mortalClock, newId, log: silentLogger, serverKey, content, unneeded },
      ...{ logBook: this.#logBook, vault: new Vault(ring, store) },
      askAws: async () => "password",
      ...{ statistics, hear: (happening) => statistics.hear(happening) },
      cutConnections: () => {},
      sweepUploads: async () => {},
      lockRemovals: () => ({ [Symbol.dispose]: () => {} }),
      room: async () => ({ free: 1e12, total: 2e12 }),
    });
    this.#rpcs = new Map(this.#assembly.rpcs.map((each) => [each.method.name, each]));
    this.resolveDoor = doorResolver({ store, serverKey, workerSecret: config.workerSecret });
    this.#openSession = (messages, signal) => runSession(this.#assembly.workers, messages, signal);
  }

  readonly #openSession: OpenSession;
  readonly #logBook: LogBook;

  static async start(
    folder: string,
    clock: ManualClock,
    newId: NewId,
    settings: Settings = {},
  ): Promise<ServerProcess> {
    const config = serverConfigSchema.parse({
      ...settings,
      data: folder,
      publicUrl: "http://lydian.example",
      workspace: "home",
      ownerToken: { id: "ak-owner", secretSha256: "0".repeat(64) },
      workerSecret: "w".repeat(40),
    });
    const bells = new Bells();
    const disk = openStore(join(config.data, "store.sqlite"), bells, syncInATurn);
    const unneeded = await Unneeded.load(disk);
    const content = await ContentStore.open(join(folder, "content"), { wishes: unneeded });
    const ring = await KeyRing.load(join(folder, "secrets-key"), undefined);
    const server = new ServerProcess(config, { disk, bells }, { content, ring, unneeded }, clock, newId);
    await server.#disk.write((tx) => ensureIdentity(tx, config, { now: clock.now(), newId }));
    await server.#logBook.start();
    await startAll(server.#assembly.actors);
    return server;
  }

  /** What `lydian gc` asks for. */
  collect(wish: Partial<GarbageWish> = {}): Promise<Garbage> {
    return this.#orDeath(this.#assembly.images.collect({ named: [], isDry: false, ...wish }));
  }

  get isDead(): boolean {
    return this.#life.signal.aborted;
  }

  /** Aborts when the server dies. */
  get death(): AbortSignal {
    return this.#life.signal;
  }

  /** As kill -9 does it. The file is closed later, by `bury`, so that it is found as it was left. */
  kill(): void {
    this.#life.abort(new ConnectionLost("the server is dead"));
  }

  /** After the test: gives back what a dead process would not hold any more. */
  async bury(): Promise<void> {
    await this.#disk.close();
  }

  /** The orderly end. */
  async close(): Promise<void> {
    await closeAll(this.#assembly.actors);
    await this.#disk.close();
  }

  /** Calls an RPC as the wire would: both messages travel as bytes, and its caller must be one that may call it. */
  async call<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
    from: Request,
  ): Promise<MessageShape<M["output"]>> {
    const answer = this.#begin(method, request, from) as Promise<MessageInitShape<M["output"]>>;
    return received(method.output, await this.#orDeath(answer)) as MessageShape<M["output"]>;
  }

  /** The same for an RPC that answers with a stream. */
  async *stream<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
    from: Request,
  ): AsyncGenerator<MessageShape<M["output"]>> {
    const answers = this.#begin(method, request, from) as AsyncIterable<MessageInitShape<M["output"]>>;
    const iterator = answers[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#orDeath(iterator.next());
      if (next.done === true) return;
      yield received(method.output, next.value) as MessageShape<M["output"]>;
    }
  }

  #begin<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>, from: Request): unknown {
    if (this.isDead) throw new ConnectionLost("the server is dead");
    const bound = this.#rpcs.get(method.name);
    if (bound === undefined) throw new Error(`no RPC ${method.name}`);
    const { access, handle } = bound.rpc;
    admit(method.name, access, from.caller);
    const answer = handle as unknown as (request: unknown, call: Call) => unknown;
    return answer(received(method.input, request), callOf(method.name, from));
  }

  /** A worker's session, which breaks off when the server dies. */
  readonly session: OpenSession = (messages, signal) => this.#untilDeath(messages, signal);

  async *#untilDeath(
    messages: AsyncIterable<wire.FromWorker>,
    signal: AbortSignal,
  ): AsyncGenerator<MessageInitShape<typeof wire.ToWorkerSchema>> {
    const stream = this.#openSession(messages, signal)[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#orDeath(stream.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  /** What happens, unless the server dies first. */
  #orDeath<T>(happens: Promise<T>): Promise<T> {
    const { signal } = this.#life;
    return new Promise((resolve, reject) => {
      const onDeath = (): void => reject(signal.reason as Error);
      if (signal.aborted) return onDeath();
      signal.addEventListener("abort", onDeath, { once: true });
      happens.then(resolve, reject).finally(() => signal.removeEventListener("abort", onDeath));
    });
  }

  #mortal(disk: Store): Store {
    const write =
      (kind: "write" | "note"): Store["write"] =>
      async (unit) => {
        if (this.isDead) return await never;
        const number = ++this.writes;
        const isLast = this.fault?.write === number;
        if (isLast && this.fault?.when === "before") this.kill();
        const outcome = await disk[kind](async (tx) => {
          this.#life.signal.throwIfAborted(); // dead before its turn came
          return await unit(tx);
        }).catch((error: unknown) => (this.isDead ? never : Promise.reject(error)));
        if (isLast) this.kill();
        return this.isDead ? await never : outcome;
      };
    return {
      write: write("write"),
      note: write("note"),
      read: async (unit) => {
        if (this.isDead) return await never;
        const value = await disk.read(unit);
        return this.isDead ? await never : value;
      },
      snapshot: (unit) => disk.snapshot(unit),
      close: () => disk.close(),
    };
  }
}

/** A message as it arrives on the other side. */
function received<D extends DescMessage>(schema: D, message: MessageInitShape<D>): MessageShape<D> {
  return fromBinary(schema, toBinary(schema, create(schema, message)));
}

function callOf(rpc: string, { caller, idempotencyKey, signal }: Request): Call {
  return {
    rpc,
    caller,
    clientVersion: "1.6.4",
    clientType: caller.kind === "container" ? 3 : 1,
    idempotencyKey,
    retryAttempt: 0,
    deadlineMs: Number.POSITIVE_INFINITY,
    signal: signal ?? new AbortController().signal,
    header: () => undefined,
    warn: () => {},
  };
}
