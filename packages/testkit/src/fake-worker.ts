/** A worker without a host: speaks the protocol (contract/proto/lydian/worker/) as the real one does, over containers that are only records. */
import { type MessageInitShape, create } from "@bufbuild/protobuf";
import { worker as wire } from "@lydian/contract";

/** How a session is opened: a stream in each direction. Ends or throws when the server does. */
export type OpenSession = (
  messages: AsyncIterable<wire.FromWorker>,
  signal: AbortSignal,
) => AsyncIterable<MessageInitShape<typeof wire.ToWorkerSchema>>;

/** A container as the worker knows it. */
export interface HeldContainer {
  readonly id: string;
  readonly fence: string;
  readonly doorSecret: string;
  readonly spec: wire.ContainerSpec | undefined;
  /** Of an image that is to be made, which is held like a container. */
  readonly build: wire.Build | undefined;
  phase: "preparing" | "running" | "gone";
  exit: MessageInitShape<typeof wire.ExitSchema> | undefined;
}

export interface FakeWorkerOptions {
  id?: string;
  milliCpu?: number;
  memoryMib?: number;
  gpus?: { kind: string; count: number }[];
  labels?: Record<string, string>;
  /** The images that it has; they grow by those that it makes. Absent: it makes all at once, by itself. */
  images?: Set<string>;
  /** A container was assigned for the first time. */
  onAssign?: (container: HeldContainer) => void;
  /** The server asks for a container's end. Without it the container ends at once. */
  onStop?: (container: HeldContainer) => void;
  /** A container's code asks for a commit or a reload; answers why it cannot be, or "". Without it, it is done. */
  onVolume?: (asked: wire.VolumeDo) => string;
}

type FromWorker = NonNullable<MessageInitShape<typeof wire.FromWorkerSchema>["message"]>;

const { PREPARING, RUNNING, GONE } = wire.ContainerState_Phase;

export class FakeWorker {
  readonly id: string;
  /** Also those that are gone, until the server releases them. */
  readonly containers = new Map<string, HeldContainer>();
  /** Everything that the server has said, oldest first. */
  readonly received: wire.ToWorker[] = [];
  readonly #options: FakeWorkerOptions;
  readonly #images: Set<string>;
  #session: { out: Sending; closing: AbortController; ended: Promise<void> } | undefined;

  constructor(options: FakeWorkerOptions = {}) {
    this.#options = options;
    this.#images = options.images ?? new Set();
    this.id = options.id ?? "local";
  }

  get isConnected(): boolean {
    return this.#session !== undefined;
  }

  /** Opens a session in place of the present one; resolves with its Welcome. */
  async connect(open: OpenSession): Promise<void> {
    this.drop();
    const welcome = Promise.withResolvers<void>();
    const closing = new AbortController();
    const out = new Sending();
    const session = { out, closing, ended: Promise.resolve() };
    this.#session = session;
    out.push({ case: "join", value: this.#join() });
    session.ended = this.#listen(open(out, closing.signal), welcome.resolve)
      .then(() => welcome.reject(new Error("the session ended before its Welcome")), welcome.reject)
      .finally(() => {
        if (this.#session === session) this.#session = undefined;
      });
    await welcome.promise;
    for (const container of this.containers.values()) this.#tell(container);
  }

  /** Breaks the session off; the containers go on. */
  drop(): void {
    const session = this.#session;
    this.#session = undefined;
    session?.closing.abort(new Error("the worker hung up"));
    session?.out.close();
  }

  /** The session ends and so do the containers, without a word. */
  die(): void {
    this.drop();
    this.containers.clear();
  }

  /** Resolves when the present session has ended. */
  async ended(): Promise<void> {
    await this.#session?.ended;
  }

  renew(): void {
    this.send({ case: "renew", value: {} });
  }

  /** The container's main process runs. */
  run(id: string): void {
    const container = this.#held(id);
    container.phase = "running";
    this.#tell(container);
  }

  /** The container ended. */
  exit(id: string, exit: MessageInitShape<typeof wire.ExitSchema>): void {
    const container = this.#held(id);
    container.phase = "gone";
    container.exit = exit;
    this.#tell(container);
  }

  /** The image is made. */
  make(id: string, built: MessageInitShape<typeof wire.BuiltImageSchema> = { python: "3.11.9" }): void {
    for (const { imageId } of this.#held(id).build?.recipes ?? []) this.#images.add(imageId);
    this.exit(id, { reason: wire.Exit_Reason.EXITED, built });
  }

  /** It has these images no more, and says so. */
  lose(imageIds: readonly string[]): void {
    for (const id of imageIds) this.#images.delete(id);
    this.send({ case: "imagesGone", value: { imageIds: [...imageIds] } });
  }

  /** Says anything; lost when no session is open. */
  send(message: FromWorker): void {
    this.#session?.out.push(message);
  }

  #join(): MessageInitShape<typeof wire.JoinSchema> {
    const { milliCpu = 4_000, memoryMib = 8_192, gpus = [], labels = {} } = this.#options;
    return {
      workerId: this.id,
      capacity: { milliCpu: BigInt(milliCpu), memoryMib: BigInt(memoryMib), gpus },
      labels,
      runtimes: [{ name: "fake" }],
      imageIds: [...this.#images],
      // One that is gone is told as what it was before: its end is told after its log.
      adopted: [...this.containers.values()].map(({ id, fence, phase }) => ({
        containerId: id,
        fence,
        phase: phase === "preparing" ? PREPARING : RUNNING,
      })),
    };
  }

  async #listen(messages: ReturnType<OpenSession>, welcome: () => void): Promise<void> {
    for await (const init of messages) {
      const { message } = create(wire.ToWorkerSchema, init);
      this.received.push(create(wire.ToWorkerSchema, init));
      switch (message.case) {
        case "welcome":
          welcome();
          break;
        case "assign":
          this.#assign(message.value);
          break;
        case "stop":
          this.#stop(message.value);
          break;
        case "release":
          if (this.#isOurs(message.value)) this.containers.delete(message.value.containerId);
          break;
        case "collect":
          this.#collect(message.value);
          break;
        case "volumeDo":
          this.#act(message.value);
          break;
        case "dial": // nobody is there who would be called
        case "logsAck":
        case "volumeChanged": // none is mounted
        case "execWanted": // nothing can be run in its containers
        case "ready":
        case undefined:
      }
    }
  }

  #assign({ containerId: id, fence, doorSecret, spec, build }: wire.Assign): void {
    const present = this.containers.get(id);
    if (present?.fence === fence) return this.#tell(present);
    const container: HeldContainer = { id, fence, doorSecret, spec, build, phase: "preparing", exit: undefined };
    this.containers.set(id, container);
    this.#tell(container);
    if (build !== undefined && this.#options.images === undefined) return this.make(id);
    this.#options.onAssign?.(container);
  }

  #stop(stop: wire.Stop): void {
    const container = this.containers.get(stop.containerId);
    if (container === undefined || !this.#isOurs(stop)) return;
    if (this.#options.onStop !== undefined && container.phase !== "gone") return this.#options.onStop(container);
    if (container.phase === "gone") this.#tell(container);
    else this.exit(container.id, { reason: wire.Exit_Reason.STOPPED });
  }

  #act(asked: wire.VolumeDo): void {
    const failure = this.#options.onVolume?.(asked) ?? "";
    this.send({ case: "volumeDone", value: { requestId: asked.requestId, failure, passes: false } });
  }

  /** Each image is one layer of one byte; what has to go for want of room is all that may. */
  #collect({ collectionId, images: known, usedBeforeMs, freeBytes, named, dryRun }: wire.Collect): void {
    const goes = (id: string): boolean => {
      const use = known.find(({ imageId }) => imageId === id);
      const isDue = freeBytes > 0n || (use?.usedAtMs ?? 0n) < usedBeforeMs;
      return named.includes(id) || (use?.needed !== true && isDue);
    };
    const imageIds = [...this.#images].filter(goes);
    if (!dryRun) this.lose(imageIds);
    const bytes = BigInt(imageIds.length);
    this.send({ case: "collected", value: { collectionId, imageIds, layers: imageIds.length, bytes } });
  }

  #tell({ id: containerId, fence, phase, exit }: HeldContainer): void {
    const phases = { preparing: PREPARING, running: RUNNING, gone: GONE } as const;
    const value = { containerId, fence, phase: phases[phase], ...(phase === "gone" && exit && { exit }) };
    this.send({ case: "containerState", value });
  }

  #isOurs({ containerId, fence }: { containerId: string; fence: string }): boolean {
    return this.containers.get(containerId)?.fence === fence;
  }

  #held(id: string): HeldContainer {
    const container = this.containers.get(id);
    if (container === undefined) throw new Error(`the worker does not hold ${id}`);
    return container;
  }
}

/** What the worker says, as a stream. */
class Sending implements AsyncIterable<wire.FromWorker> {
  readonly #messages: wire.FromWorker[] = [];
  #wake: () => void = () => {};
  #closed = false;

  push(message: FromWorker): void {
    this.#messages.push(create(wire.FromWorkerSchema, { message }));
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<wire.FromWorker> {
    for (;;) {
      if (this.#closed) return;
      const next = this.#messages.shift();
      if (next === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
      else yield next;
    }
  }
}
