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
import { ModalClient, type worker as wire } from "@lydian/contract";
import { Bells, type Clock, type NewId, silentLogger } from "@lydian/kit";
import type { ManualClock, OpenSession } from "@lydian/testkit";

import { Presence } from "../../src/apps/presence.ts";
import { Alarms } from "../../src/calls/alarms.ts";
import { Deliveries } from "../../src/calls/deliveries.ts";
import { Reaper } from "../../src/calls/reap.ts";
import { Timeouts } from "../../src/calls/timeouts.ts";
import { type ServerConfig, type ServerConfigInput, serverConfigSchema } from "../../src/config.ts";
import { ContentStore } from "../../src/content/content-store.ts";
import type { Store } from "../../src/domain/store.ts";
import { Builds } from "../../src/images/builds.ts";
import { type Garbage, type GarbageWish, ImageCollector } from "../../src/images/collect.ts";
import { Interest } from "../../src/images/interest.ts";
import { ensureIdentity } from "../../src/identity/first-start.ts";
import { LogBook, type Tell } from "../../src/logs/log-book.ts";
import { Heartbeats } from "../../src/objects/heartbeats.ts";
import { type BoundRpc, bind } from "../../src/rpc/adapter-access.ts";
import type { Call, Caller } from "../../src/rpc/adapter-call.ts";
import { admit } from "../../src/rpc/adapter-identity.ts";
import { appRpcs } from "../../src/rpc/apps.ts";
import { appLookupRpcs } from "../../src/rpc/app-lookups.ts";
import { taskRpcs } from "../../src/rpc/tasks.ts";
import { deploymentRpcs } from "../../src/rpc/deployments.ts";
import { lookupRpcs } from "../../src/rpc/lookups.ts";
import { callRpcs } from "../../src/rpc/calls.ts";
import { containerRpcs } from "../../src/rpc/containers.ts";
import { dictRpcs } from "../../src/rpc/dicts.ts";
import { functionRpcs } from "../../src/rpc/functions.ts";
import { imageNameRpcs } from "../../src/rpc/image-names.ts";
import { imageRpcs } from "../../src/rpc/images.ts";
import { mountRpcs } from "../../src/rpc/mounts.ts";
import { logRpcs } from "../../src/rpc/logs.ts";
import type { Platform } from "../../src/rpc/platform.ts";
import { queueRpcs } from "../../src/rpc/queues.ts";
import { scalingRpcs } from "../../src/rpc/scaling.ts";
import { secretRpcs } from "../../src/rpc/secrets.ts";
import { volumeChangeRpcs } from "../../src/rpc/volume-changes.ts";
import { volumeFileRpcs } from "../../src/rpc/volume-files.ts";
import { volumeRpcs } from "../../src/rpc/volumes.ts";
import { Scheduler } from "../../src/scheduler/loop.ts";
import { Timekeeper } from "../../src/schedules/timekeeper.ts";
import { KeyRing } from "../../src/secrets/key-ring.ts";
import { Vault } from "../../src/secrets/vault.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { PieceLinks } from "../../src/volumes/piece-links.ts";
import { doorResolver } from "../../src/workers/doors.ts";
import { runSession } from "../../src/workers/session-stream.ts";
import { WorkerSessions } from "../../src/workers/sessions.ts";
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
  readonly bells = new Bells();
  readonly resolveDoor: ReturnType<typeof doorResolver>;
  /** Writes so far. */
  writes = 0;
  /** Set at any time: where to die. */
  fault: Fault | undefined;
  readonly #life = new AbortController();
  readonly #disk: Store;
  readonly #rpcs: ReadonlyMap<string, BoundRpc>;
  readonly #parts: {
    presence: Presence;
    sessions: WorkerSessions;
    alarms: Alarms;
    scheduler: Scheduler;
    timekeeper: Timekeeper;
    reaper: Reaper;
    builds: Builds;
    collector: ImageCollector;
  };
  readonly #platform: Platform;

  private constructor(config: ServerConfig, content: ContentStore, ring: KeyRing, clock: ManualClock, newId: NewId) {
    this.#disk = openStore(join(config.data, "store.sqlite"), this.bells, syncInATurn);
    this.store = this.#mortal(this.#disk);
    const mortalClock: Clock = {
      now: () => clock.now(),
      timer: (delayMs, fire) => clock.timer(delayMs, () => this.isDead || fire()),
    };
    const serverKey = new Uint8Array(32).fill(7);
    const shared = { store: this.store, bells: this.bells, clock: mortalClock, newId, log: silentLogger };
    const logBook = new LogBook({ folder: join(config.data, "logs"), ...shared });
    const deliveries = new Deliveries();
    const cutDoors = (id: string): void => deliveries.forget(id);
    const vault = new Vault(ring, this.store);
    const timed = { ...shared, vault, times: config.times, serverKey, cutDoors };
    const presence = new Presence(timed);
    const heartbeats = new Heartbeats(timed);
    const sessions = new WorkerSessions(timed);
    const timeouts = new Timeouts(timed);
    const interest = new Interest({ ...timed, stop: (build, reason) => sessions.stop(build, reason) });
    const tell: Tell = (to, text) => {
      logBook.say(to, mortalClock.now(), text).catch(() => {}); // it is closing
    };
    const parts = { content, heartbeats, interest, logBook, presence, sessions, tell, timeouts };
    this.#platform = { ...timed, config, ...parts };
    this.#parts = {
      presence,
      sessions,
      alarms: new Alarms(timed),
      scheduler: new Scheduler({ ...timed, limits: config.limits, hands: sessions, tell: () => {} }),
      timekeeper: new Timekeeper({ ...timed, limits: config.limits, tell }),
      reaper: new Reaper({ ...timed, sweepUploads: async () => {} }),
      builds: new Builds({
        ...timed,
        content,
        hands: sessions,
        askAws: async () => "password",
        tell: (appId, text) => tell({ appId, functionId: "" }, text),
      }),
      collector: new ImageCollector({ ...timed, limits: config.limits, hands: sessions, logBook }),
    };
    const families = [
      appRpcs,
      appLookupRpcs,
      deploymentRpcs,
      taskRpcs,
      lookupRpcs,
      imageNameRpcs,
      mountRpcs,
      functionRpcs,
      scalingRpcs,
      callRpcs,
      logRpcs,
      secretRpcs,
      dictRpcs,
      queueRpcs,
      volumeRpcs,
    ];
    const rpcs = families.map((family) => family(this.#platform));
    const images = imageRpcs(this.#platform, this.#parts.collector);
    const links = new PieceLinks(serverKey, () => clock.now());
    const volumes = [volumeFileRpcs(this.#platform, links), volumeChangeRpcs(this.#platform, links)];
    const bound = bind(ModalClient, ...rpcs, images, ...volumes, containerRpcs(this.#platform, deliveries));
    this.#rpcs = new Map(bound.map((each) => [each.method.name, each]));
    this.resolveDoor = doorResolver({ store: this.store, serverKey, workerSecret: config.workerSecret });
    const makeRoom = (workerId: string, bytes: number): void => this.#parts.collector.makeRoom(workerId, bytes);
    this.#openSession = (messages, signal) => runSession({ ...timed, sessions, logBook, makeRoom }, messages, signal);
  }

  readonly #openSession: OpenSession;

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
    const content = await ContentStore.open(join(folder, "content"));
    const ring = await KeyRing.load(join(folder, "secrets-key"), undefined);
    const server = new ServerProcess(config, content, ring, clock, newId);
    await server.#disk.write((tx) => ensureIdentity(tx, config, { now: clock.now(), newId }));
    await server.#platform.logBook.start();
    await server.#parts.presence.start();
    await server.#platform.heartbeats.start();
    await server.#parts.sessions.start();
    await server.#platform.timeouts.start();
    server.#parts.alarms.start();
    server.#parts.scheduler.start();
    server.#parts.timekeeper.start();
    server.#parts.reaper.start();
    await server.#platform.interest.start();
    server.#parts.builds.start();
    server.#parts.collector.start();
    return server;
  }

  /** What `lydian gc` asks for. */
  collect(wish: Partial<GarbageWish> = {}): Promise<Garbage> {
    return this.#orDeath(this.#parts.collector.collect({ named: [], isDry: false, ...wish }));
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
    const { presence, sessions, alarms, scheduler, timekeeper, reaper, builds, collector } = this.#parts;
    presence.close();
    this.#platform.heartbeats.close();
    this.#platform.interest.close();
    await builds.close();
    this.#platform.timeouts.close();
    await alarms.close();
    await reaper.close();
    await timekeeper.close();
    await scheduler.close();
    sessions.close();
    await collector.close();
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
