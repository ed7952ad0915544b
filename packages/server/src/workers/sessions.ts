/** The workers that are connected now: what reaches them, and what becomes of those that fall silent. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { worker } from "@lydian/contract";
import { type Bells, type Clock, Leases, type Logger, type NewId } from "@lydian/kit";

import type { Times } from "../config.ts";
import { cannotBegin, endContainer } from "../containers/end.ts";
import { demandBell, imagesBell, workerBell } from "../domain/bells.ts";
import type { Container, Exit } from "../domain/container.ts";
import type { Context } from "../domain/context.ts";
import type { Image } from "../domain/image.ts";
import type { Store } from "../domain/store.ts";
import type { Runtime, WorkerView } from "../domain/worker.ts";
import { fail, isFail, ServerError } from "../errors.ts";
import type { Build } from "../images/build-message.ts";
import { loseBuilds } from "../images/transition.ts";
import type { EndpointSettings } from "../web/endpoints.ts";
import type { Vault } from "../secrets/vault.ts";
import { Collections } from "./collections.ts";
import { type Line, WorkerLines } from "./lines.ts";
import { Questions } from "./questions.ts";
import { Outbox } from "./outbox.ts";
import { containerSpec, doorSecret } from "./spec.ts";

export type ToWorker = MessageInitShape<typeof worker.ToWorkerSchema>;

/** What a worker is to remove, as it is told. */
export type CollectWish = Omit<MessageInitShape<typeof worker.CollectSchema>, "$typeName" | "collectionId">;

export interface SessionDeps {
  store: Store;
  bells: Bells;
  clock: Clock;
  newId: NewId;
  log: Logger;
  times: Times;
  /** What door secrets are derived from. */
  serverKey: Uint8Array;
  vault: Vault;
  /** Where web functions are, which functions are told of each other. */
  settings: EndpointSettings;
  /** Cuts the connections of a container that is gone. */
  cutDoors(containerId: string): void;
}

export interface Session extends Omit<WorkerView, "id"> {
  readonly workerId: string;
  readonly images: Set<string>;
  readonly runtimes: readonly Runtime[];
  readonly outbox: Outbox<ToWorker>;
}

/** Between being told to end and being killed, when the platform's patience is over anyway. */
const killGraceMs = 300;

/** What a worker runs: a container, or a step of an image. */
export type Acting = Pick<Container | Image, "id" | "fence" | "workerId">;

export interface VolumeWish {
  readonly volumeId: string;
  readonly act: worker.VolumeDo_Act;
  /** The volume's newest commit. */
  readonly head: number;
}

export class WorkerSessions {
  readonly #deps: SessionDeps;
  readonly #sessions = new Map<string, Session>();
  readonly #leases: Leases;
  readonly #closing = new AbortController();
  readonly #collections: Collections;
  readonly #volumeActs: Questions<worker.VolumeDone>;
  readonly lines: WorkerLines;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
    this.#leases = new Leases(deps.clock, (workerId) => void this.#lost(workerId));
    this.#collections = new Collections(deps.clock);
    this.lines = new WorkerLines(deps.clock);
    this.#volumeActs = new Questions(deps.clock, {
      answerMs: deps.times.volumeAct,
      silent: () => fail("unavailable", "The container's worker went away. Ask again: a commit is made once."),
    });
  }

  /** Workers that hold something have a whole term to come back after a restart of the server. */
  async start(): Promise<void> {
    const holders = await this.#deps.store.read(async (tx) => [
      ...(await tx.containers.alive()),
      ...(await tx.images.underWay()).filter(({ state }) => state === "building"),
    ]);
    for (const { workerId } of holders) this.#leases.renew(workerId, this.#deps.times.workerLease);
  }

  close(): void {
    this.#closing.abort(fail("unavailable", "The server ends."));
    this.#leases[Symbol.dispose]();
    for (const { outbox, workerId } of this.#sessions.values()) {
      outbox.close();
      this.#nobodyAnswers(workerId);
    }
  }

  /** A newer session of the same worker takes the older one's place. */
  join(session: Session): void {
    this.#sessions.get(session.workerId)?.outbox.close();
    this.#nobodyAnswers(session.workerId);
    this.#sessions.set(session.workerId, session);
    this.renew(session.workerId);
    this.#deps.bells.ring(demandBell);
    this.#deps.bells.ring(imagesBell);
    this.#deps.bells.ring(workerBell(session.workerId));
  }

  /** The stream ended; the lease runs on, as the worker may be back in a moment. */
  leave(session: Session): void {
    session.outbox.close();
    if (this.#sessions.get(session.workerId) !== session) return;
    this.#sessions.delete(session.workerId);
    this.#nobodyAnswers(session.workerId);
  }

  renew(workerId: string): void {
    this.#leases.renew(workerId, this.#deps.times.workerLease);
  }

  workers(): WorkerView[] {
    return [...this.#sessions.values()].map(({ workerId, capacity, gpus, labels, images, mountsBuckets }) => ({
      id: workerId,
      capacity,
      gpus,
      labels,
      images,
      mountsBuckets,
    }));
  }

  /** The worker has these images from here on. */
  hasMade(workerId: string, imageIds: readonly string[]): void {
    for (const id of imageIds) this.#sessions.get(workerId)?.images.add(id);
  }

  /** The worker has them no more: who needs one has it made again. */
  hasLost(workerId: string, imageIds: readonly string[]): void {
    const images = this.#sessions.get(workerId)?.images;
    for (const id of imageIds) images?.delete(id);
    this.#deps.bells.ring(demandBell);
  }

  /** Has the worker remove images that nothing needs; rejects when it is not connected, or goes meanwhile. */
  async collect(workerId: string, wish: CollectWish): Promise<worker.Collected> {
    return await this.#collections.ask(workerId, (collectionId) => {
      const outbox = this.#sessions.get(workerId)?.outbox;
      if (outbox === undefined) return this.#collections.left(workerId);
      outbox.push({ message: { case: "collect", value: { ...wish, collectionId } } });
    });
  }

  collected(collected: worker.Collected): void {
    this.#collections.answered(collected);
  }

  /**
   * Has a container's worker do something with a volume that the container mounts. A worker that goes meanwhile is asked
   * again when it is back, for as long as its lease.
   */
  async act(container: Acting, wish: VolumeWish): Promise<worker.VolumeDone> {
    const { bells, clock, times } = this.#deps;
    const { workerId } = container;
    const look = async (): Promise<true | undefined> => this.#sessions.has(workerId) || undefined;
    for (const deadline = clock.now() + times.workerLease; ;) {
      const waitMs = Math.max(0, deadline - clock.now());
      await bells.until([workerBell(workerId)], look, { clock, waitMs, signal: this.#closing.signal });
      try {
        return await this.#actOnce(container, wish);
      } catch (error) {
        if (!isFail(error, "unavailable") || clock.now() >= deadline) throw error;
      }
    }
  }

  async #actOnce({ id: containerId, fence, workerId }: Acting, wish: VolumeWish): Promise<worker.VolumeDone> {
    return await this.#volumeActs.ask(workerId, (requestId) => {
      const outbox = this.#sessions.get(workerId)?.outbox;
      if (outbox === undefined) return this.#volumeActs.left(workerId);
      const value = { ...wish, head: BigInt(wish.head), requestId, containerId, fence };
      outbox.push({ message: { case: "volumeDo", value } });
    });
  }

  /** For those that have the volume mounted. */
  volumeChanged({ volumeId, number }: { volumeId: string; number: number }): void {
    const message = { case: "volumeChanged", value: { volumeId, head: BigInt(number) } } as const;
    for (const { outbox } of this.#sessions.values()) outbox.push({ message });
  }

  acted(done: worker.VolumeDone): void {
    this.#volumeActs.answered(done.requestId, done);
  }

  /** False when the worker is not connected. */
  push(workerId: string, message: ToWorker): boolean {
    const outbox = this.#sessions.get(workerId)?.outbox;
    outbox?.push(message);
    return outbox !== undefined;
  }

  /** A stream to this worker, for commands in its containers. */
  async openLine(workerId: string): Promise<Line> {
    return await this.lines.open(workerId, (id) =>
      this.push(workerId, { message: { case: "execWanted", value: { id } } }),
    );
  }

  /** Whether the worker's containers have a loopback interface of their own; unknown workers' do not. */
  hasOwnNetwork(workerId: string): boolean {
    return this.#sessions.get(workerId)?.runtimes.some(({ ownNetwork }) => ownNetwork) ?? false;
  }

  /** Hands a container to its worker; when that is not connected, it gets it on its next join. */
  assign(container: Container): void {
    this.#assign(container).catch((error: unknown) => {
      this.#deps.log.error(
        { err: error, container: container.id },
        "a container was not assigned; its start will time out",
      );
    });
  }

  /** The container asks for inputs. */
  ready({ id: containerId, fence, workerId }: Container): void {
    this.#sessions.get(workerId)?.outbox.push({ message: { case: "ready", value: { containerId, fence } } });
  }

  /** Hands a build to its worker; when that is not connected, it comes back without it, and the build is lost. */
  build({ id: containerId, fence, workerId }: Image, build: Build): void {
    const value = {
      containerId,
      fence,
      doorSecret: doorSecret(this.#deps.serverKey, { id: containerId, fence }),
      build,
    };
    this.#sessions.get(workerId)?.outbox.push({ message: { case: "assign", value } });
  }

  /** Ends a container, or a build under its image's id. */
  stop(
    { id: containerId, fence, workerId }: Pick<Container | Image, "id" | "fence" | "workerId">,
    reason: string,
  ): void {
    this.#deps.log.debug({ container: containerId, reason }, "stop");
    const value = { containerId, fence, graceMs: BigInt(killGraceMs) };
    this.#sessions.get(workerId)?.outbox.push({ message: { case: "stop", value } });
  }

  #nobodyAnswers(workerId: string): void {
    this.#collections.left(workerId);
    this.#volumeActs.left(workerId);
    this.lines.left(workerId);
  }

  context(): Context {
    return { now: this.#deps.clock.now(), newId: this.#deps.newId };
  }

  async #assign(container: Container): Promise<void> {
    const { store, log, serverKey, vault, settings } = this.#deps;
    try {
      const { state, told } = await store.read(async (tx) => {
        const now = await tx.containers.get(container.id);
        const told = now?.state === "assigned" ? await containerSpec(tx, container, { vault, settings }) : undefined;
        return { state: now?.state, told };
      });
      if (state === "draining") return await this.#end(container, { reason: "stopped" });
      if (told === undefined) return; // its worker has it already, or it is gone
      const { spec, secretIds } = told;
      const secret = doorSecret(serverKey, container);
      const value = { containerId: container.id, fence: container.fence, doorSecret: secret, spec };
      this.#sessions.get(container.workerId)?.outbox.push({ message: { case: "assign", value } });
      if (secretIds.length > 0) await store.note((tx) => tx.secrets.setUsed(secretIds, this.context().now));
    } catch (error) {
      if (error instanceof ServerError) {
        const { text } = error;
        return await store.write((tx) => cannotBegin(tx, container.id, text, this.context()));
      }
      log.error({ err: error, container: container.id }, "a container could not be specified");
      const message = "its definition could not be read; the server's log says more";
      await this.#end(container, { reason: "failedToStart", message });
    }
  }

  /** One that its worker never heard of. */
  async #end(container: Container, exit: Exit): Promise<void> {
    await this.#deps.store.write((tx) => endContainer(tx, container.id, exit, this.context()));
    this.#deps.cutDoors(container.id);
  }

  async #lost(workerId: string): Promise<void> {
    const { store, log } = this.#deps;
    log.warn({ worker: workerId }, "a worker is lost: it was silent for longer than its lease");
    const session = this.#sessions.get(workerId);
    if (session !== undefined) this.leave(session);
    try {
      const lost = await store.write(async (tx) => {
        if (this.#leases.has(workerId)) return []; // it came back in this very moment
        const containers = await tx.containers.ofWorker(workerId);
        const exit = { reason: "lost", message: "its worker was not heard of any more" } as const;
        for (const { id } of containers) await endContainer(tx, id, exit, this.context());
        const builds = await loseBuilds(tx, workerId, exit.message, this.context());
        return [...containers, ...builds];
      });
      for (const { id } of lost) this.#deps.cutDoors(id);
    } catch (error) {
      log.error({ err: error, worker: workerId }, "what a lost worker held could not be released");
      this.renew(workerId); // tried again when this term is over
    }
  }
}
