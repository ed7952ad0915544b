/** The worker itself: keeps a session with the server, does what the server asks, reports what happens. */
import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import {
  backoffMs,
  type Clock,
  isDiskFull,
  type Logger,
  messageOf,
  PlatformError,
  sleep,
  type Timer,
} from "@lydian/kit";

import { whenAborted } from "./abort.ts";
import type { Assignment } from "./assignment.ts";
import { Build, type BuildHost } from "./builds/build.ts";
import { answerCollect } from "./collect/answer.ts";
import type { ImageCollector } from "./collect/collector.ts";
import { Commands } from "./exec/commands.ts";
import { Execs } from "./exec/execs.ts";
import { RefusedError } from "./volumes/volume-server.ts";
import { Container, type ContainerHost } from "./container/container.ts";
import type { Usage } from "./container/usage-meter.ts";
import { currentState, report } from "./report.ts";
import { Session } from "./session.ts";

/** Between sessions: the first repetition comes at once, later ones after 50 ms, doubled up to 2 s. */
const reconnect = { initialMs: 50, factor: 2, maxMs: 2000 };

/** A session that ends sooner counts as a failed try: a server that fails over what we send is not hurried. */
const soundSessionMs = 1000;

/** How often a lease is renewed before it would run out. */
const renewalsPerLease = 3;

/** What the last reports and their answers may take when the worker is told to end; what is not told is told next time. */
const lastReportMs = 3000;

export interface AgentOptions {
  workerId: string;
  capacity: wire.Capacity;
  /** Given by the operator, such as the region that it is in. */
  labels: Readonly<Record<string, string>>;
  doorFile: string;
  builds: BuildHost;
  collector: ImageCollector;
  /** All but what the agent tells the server. */
  host: Omit<ContainerHost, "onPhase" | "onUsage">;
  /** Called once, when the server has first welcomed this worker. */
  onReady: () => void;
}

type DialMessage = Extract<wire.ToWorker["message"], { case: "dial" }>["value"];

export class Agent {
  readonly host: ContainerHost;
  readonly #options: AgentOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #containers = new Map<string, Assignment>();
  /** What is being done about a container; the next message about it waits. */
  readonly #turns = new Map<string, Promise<void>>();
  readonly #execs: Execs;
  readonly #closing = new AbortController();
  readonly #reports = new Set<Promise<void>>();
  #session: Session | undefined;
  /** The session, from its Welcome to its end. */
  #joined: Session | undefined;
  #running: Promise<void> | undefined;
  #isReady = false;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#clock = options.host.clock;
    this.#logger = options.host.logger;
    this.host = {
      ...options.host,
      onPhase: (container) => this.#tellState(container),
      onUsage: (container, usage) => this.#tellUsage(container, usage),
    };
    const commands = new Commands({ ...options.host, find: (id) => this.#runningContainer(id) });
    this.#execs = new Execs({ ...options.host, doorFile: options.doorFile, commands });
    this.host.images.onGone((id) => this.#tellGone([id]));
  }

  /** Asks the server what is not needed, so that so much may be freed; false when it cannot be asked now. */
  wantRoom(bytes: number): boolean {
    void this.#joined?.send({ case: "roomWanted", value: { bytes: BigInt(Math.ceil(bytes)) } });
    return this.#joined !== undefined;
  }

  /** Starts with these containers; keeps a session until it is closed. */
  start(containers: readonly Container[]): void {
    for (const container of containers) this.#containers.set(container.id, container);
    this.#running = this.#keepSession();
  }

  /** Stops every container, reports that as far as the server is there, and ends the session. */
  async close(graceMs: number): Promise<void> {
    this.#closing.abort(); // no assignment is begun from here on, and no new session
    await Promise.all(this.#turns.values());
    const containers = [...this.#containers.values()];
    await Promise.allSettled(containers.map((container) => container.stop(graceMs)));
    await Promise.all(containers.map((container) => whenAborted(container.gone)));
    const patience = new AbortController();
    using _timer = this.#clock.timer(lastReportMs, () => patience.abort());
    await Promise.race([this.#reportLast(), whenAborted(patience.signal)]);
    this.#session?.drop();
    await this.#running;
    this.#execs.close();
    await Promise.all(this.#turns.values()); // what the server released last is forgotten
    await Promise.all(containers.map((container) => container.leave()));
  }

  /** Ends the session in order when it has begun and all is told. */
  async #reportLast(): Promise<void> {
    const session = this.#session;
    try {
      await session?.welcome;
    } catch {
      return; // the server is not there
    }
    await Promise.all(this.#reports);
    await session?.close();
  }

  async #keepSession(): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted;) {
      const join = this.#join();
      const session = new Session({
        doorFile: this.#options.doorFile,
        join,
        clock: this.#clock,
        onMessage: (message) => this.#receive(message),
      });
      this.#session = session;
      try {
        const { leaseSeconds } = await session.welcome;
        const beganMs = this.#clock.now();
        await this.#attend(session, join, (Number(leaseSeconds) * 1000) / renewalsPerLease);
        if (this.#clock.now() - beganMs >= soundSessionMs) failures = 0;
      } catch (error) {
        this.#logger.debug({ err: error }, "no session");
      }
      this.#session = undefined;
      this.#joined = undefined;
      if (signal.aborted) return;
      this.#logger.warn({ reason: messageOf(session.ended.reason), failures }, "the session with the server ended");
      failures++;
      const delayMs = failures === 1 ? 0 : backoffMs(reconnect, failures - 1);
      await sleep(this.#clock, delayMs, signal).catch(() => {}); // closing: the loop ends
    }
  }

  /** From Welcome to the session's end. */
  async #attend(session: Session, { imageIds }: wire.Join, renewMs: number): Promise<void> {
    this.#logger.info({ containers: this.#containers.size }, "joined the server");
    if (!this.#isReady) this.#options.onReady();
    this.#isReady = true;
    this.#joined = session;
    let timer: Timer | undefined;
    const renew = (): void => {
      timer = this.#clock.timer(renewMs, renew);
      void session.send({ case: "renew", value: {} });
    };
    renew();
    const left = new Set(this.host.images.ids);
    this.#tellGone(imageIds.filter((id) => !left.has(id)));
    for (const container of this.#containers.values()) {
      this.#tellState(container); // it may have changed since Join was made
      this.#report(container, session);
    }
    await whenAborted(session.ended);
    timer?.[Symbol.dispose]();
  }

  #join(): wire.Join {
    const { runtime } = this.host;
    return create(wire.JoinSchema, {
      workerId: this.#options.workerId,
      capacity: this.#options.capacity,
      labels: this.#options.labels,
      runtimes: [
        {
          name: runtime.name,
          isolates: runtime.isolates,
          ownNetwork: runtime.ownNetwork,
          limits: runtime.limits,
          buckets: this.host.buckets?.isPossible === true,
        },
      ],
      imageIds: [...this.host.images.ids],
      adopted: [...this.#containers.values()].map(currentState),
    });
  }

  #receive({ message }: wire.ToWorker): void {
    switch (message.case) {
      case "assign":
        return this.#inTurn(message.value.containerId, () => this.#assign(message.value));
      case "stop": {
        const { containerId, fence, graceMs } = message.value;
        return this.#inTurn(containerId, async () => this.#ours(containerId, fence)?.stop(Number(graceMs)));
      }
      case "logsAck": {
        const { containerId, fence, endOffset } = message.value;
        return this.#inTurn(containerId, async () => this.#ours(containerId, fence)?.acknowledge(Number(endOffset)));
      }
      case "release": {
        const { containerId, fence } = message.value;
        return this.#inTurn(containerId, async () => {
          const container = this.#ours(containerId, fence);
          if (container !== undefined) await this.#forget(container);
        });
      }
      case "ready": {
        const { containerId, fence } = message.value;
        return this.#inTurn(containerId, async () => this.#ours(containerId, fence)?.ready());
      }
      case "collect":
        return void this.#collect(message.value);
      case "execWanted":
        return void this.#execs.serve(message.value);
      case "dial":
        return void this.#dial(message.value);
      case "volumeChanged":
        return this.host.volumes?.changed(message.value);
      case "volumeDo":
        return void this.#act(message.value); // beside all else: it may take long
      case "welcome":
      case undefined:
        return; // of a protocol newer than ours
    }
  }

  /** The container, if the message is about this assignment of it. */
  #ours(containerId: string, fence: string): Assignment | undefined {
    const container = this.#containers.get(containerId);
    return container?.fence === fence ? container : undefined;
  }

  async #dial({ secret, containerId, fence, port }: DialMessage): Promise<void> {
    try {
      const assignment = this.#ours(containerId, fence);
      if (assignment?.dial === undefined) throw new PlatformError("the container is gone");
      await assignment.dial(port, secret);
    } catch (error) {
      void this.#joined?.send({ case: "dialFailed", value: { secret, reason: messageOf(error) } });
    }
  }

  async #act(asked: wire.VolumeDo): Promise<void> {
    const { requestId, containerId, fence } = asked;
    const session = this.#joined;
    const done = { requestId, failure: "", passes: false };
    try {
      const assignment = this.#ours(containerId, fence);
      if (assignment === undefined) throw new RefusedError("the container is gone");
      await this.host.volumes?.act(assignment.volumesId, asked);
    } catch (error) {
      done.passes = !(error instanceof PlatformError);
      if (done.passes) this.#logger.warn({ err: error, container: containerId }, "a volume could not be followed");
      const hint = error instanceof PlatformError && error.hint !== undefined ? `; ${error.hint}` : "";
      done.failure = `${messageOf(error)}${hint}`;
    }
    void session?.send({ case: "volumeDone", value: done });
  }

  #runningContainer(id: string): Container | undefined {
    const found = this.#containers.get(id);
    return found instanceof Container && found.isRunning && !found.isGone ? found : undefined;
  }

  /** One thing after the other per container; a failure is ours and does not end the worker. */
  #inTurn(containerId: string, act: () => Promise<void>): void {
    const before = this.#turns.get(containerId) ?? Promise.resolve();
    const turn = before.then(act).catch((error: unknown) => {
      this.#logger.error({ err: error, container: containerId }, "a message about a container could not be followed");
    });
    this.#turns.set(containerId, turn);
    void turn.then(() => {
      if (this.#turns.get(containerId) === turn) this.#turns.delete(containerId);
    });
  }

  async #assign(assign: wire.Assign): Promise<void> {
    const { containerId, fence } = assign;
    const present = this.#containers.get(containerId);
    if (present?.fence === fence) return this.#tellState(present);
    if (this.#closing.signal.aborted) return;
    if (present !== undefined) await this.#forget(present);
    this.#logger.info({ container: containerId, description: assign.spec?.description ?? "a build" }, "assigned");
    try {
      const container = await this.#beginWithRoom(assign);
      this.#containers.set(containerId, container);
      this.#tellState(container);
      if (this.#joined !== undefined) this.#report(container, this.#joined);
    } catch (error) {
      const { FAILED_TO_START, OUT_OF_DISK } = wire.Exit_Reason;
      const exit = {
        reason: isDiskFull(error) ? OUT_OF_DISK : FAILED_TO_START,
        message: `the worker cannot hold it: ${messageOf(error)}`,
      };
      await this.#joined?.send({
        case: "containerState",
        value: { containerId, fence, phase: wire.ContainerState_Phase.GONE, exit },
      });
      throw error;
    }
  }

  /** On a full disk, after whoever has filled it has gone. */
  async #beginWithRoom(assign: wire.Assign): Promise<Assignment> {
    try {
      return await this.#begin(assign);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      await this.host.runtime.room?.(this.#closing.signal);
      return await this.#begin(assign);
    }
  }

  async #begin(assign: wire.Assign): Promise<Assignment> {
    const { containerId, fence, doorSecret, build, spec = create(wire.ContainerSpecSchema) } = assign;
    if (build === undefined) {
      const lease = { containerId, fence, doorSecret, runtime: this.host.runtime.name };
      return await Container.begin(lease, spec, this.host);
    }
    return await Build.begin(assign, build, this.#options.builds);
  }

  /** Ends a container that may still run, and all that is known of it. */
  async #forget(container: Assignment): Promise<void> {
    await container.stop(0);
    await whenAborted(container.gone);
    await container.release();
    this.#containers.delete(container.id);
  }

  async #collect(asked: wire.Collect): Promise<void> {
    const value = await answerCollect(this.#options.collector, asked);
    await this.#joined?.send({ case: "collected", value }); // where that session has ended nobody waits for it
  }

  /** In the session that there is; the next one begins with those that are left. */
  #tellGone(imageIds: readonly string[]): void {
    if (imageIds.length > 0) void this.#joined?.send({ case: "imagesGone", value: { imageIds: [...imageIds] } });
  }

  /** The end is told by its report, after the log. */
  #tellState(container: Assignment): void {
    if (container.isGone || this.#joined === undefined) return;
    if (this.#containers.get(container.id) !== container) return;
    void this.#joined.send({ case: "containerState", value: currentState(container) });
  }

  /** Of the container that is there; without a session nobody counts it. */
  #tellUsage({ id: containerId, fence }: Assignment, { cpuMicroseconds, overMs, memoryBytes }: Usage): void {
    const used = { cpuMicroseconds: BigInt(cpuMicroseconds), overMs: BigInt(overMs), memoryBytes: BigInt(memoryBytes) };
    void this.#joined?.send({ case: "usage", value: { containerId, fence, ...used } });
  }

  #report(container: Assignment, session: Session): void {
    const done = report(container, session, this.#clock).catch((error: unknown) => {
      this.#logger.error({ err: error, container: container.id }, "a container's log could not be sent");
      session.drop(); // all is reported anew in the next one
    });
    this.#reports.add(done);
    void done.then(() => this.#reports.delete(done));
  }
}
