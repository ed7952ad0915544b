/** One worker's session from Join to its end: what each message of the worker changes. */
import type { worker } from "@lydian/contract";

import type { Hear } from "../domain/happening.ts";
import { fail } from "../errors.ts";
import { LogDecoders } from "../logs/decode.ts";
import type { LineOwners, Owner } from "../logs/line-owners.ts";
import type { LogBook } from "../logs/log-book.ts";
import { type Charge, chargesOf, findCharge } from "./charges.ts";
import type { Dials } from "./dials.ts";
import { Outbox } from "./outbox.ts";
import type { Session, SessionDeps, ToWorker, WorkerSessions } from "./sessions.ts";
import { isGone, isRunning } from "./wire.ts";

export interface StreamDeps extends SessionDeps {
  sessions: WorkerSessions;
  logBook: LogBook;
  lineOwners: LineOwners;
  dials: Dials;
  hear: Hear;
  /** Has what nobody needs removed from a worker, until so much is free. */
  makeRoom(workerId: string, bytes: number): void;
}

/** The answers to a worker's messages; ends when either side does. */
export async function* runSession(
  deps: StreamDeps,
  messages: AsyncIterable<worker.FromWorker>,
  signal: AbortSignal,
): AsyncIterable<ToWorker> {
  const incoming = messages[Symbol.asyncIterator]();
  const first = await incoming.next();
  const join = first.done === true ? undefined : first.value.message;
  if (join?.case !== "join") throw fail("invalidArgument", "A worker's session begins with Join.");
  const session: Session = {
    workerId: join.value.workerId,
    capacity: {
      milliCpu: Number(join.value.capacity?.milliCpu ?? 0),
      memoryMib: Number(join.value.capacity?.memoryMib ?? 0),
    },
    gpus: (join.value.capacity?.gpus ?? []).map(({ kind, count }) => ({ kind, count })),
    labels: join.value.labels,
    runtimes: join.value.runtimes,
    images: new Set(join.value.imageIds),
    mountsBuckets: join.value.runtimes.some(({ buckets }) => buckets),
    outbox: new Outbox(),
  };
  const stream = new SessionStream(deps, session);
  session.outbox.push({
    message: { case: "welcome", value: { leaseSeconds: BigInt(Math.ceil(deps.times.workerLease / 1000)) } },
  });
  const leave = (): void => deps.sessions.leave(session);
  signal.addEventListener("abort", leave, { once: true });
  try {
    await stream.reconcile(join.value);
    void stream.receive(incoming);
    yield* session.outbox;
  } finally {
    signal.removeEventListener("abort", leave);
    leave();
  }
}

/** Pieces of logs that are on their way to the disk: beyond it the worker has to wait. In bytes of its records. */
const mostWritten = 1024 * 1024;

class SessionStream {
  readonly #deps: StreamDeps;
  readonly #session: Session;
  readonly #decoders = new LogDecoders();
  /** The last piece of each container that is being written, until it is there. */
  readonly #writing = new Map<string, Promise<void>>();
  #bytesWriting = 0;

  constructor(deps: StreamDeps, session: Session) {
    this.#deps = deps;
    this.#session = session;
  }

  /** Compares what the worker holds with what it should hold, and mends both sides. */
  async reconcile(join: worker.Join): Promise<void> {
    const { store, sessions } = this.#deps;
    const { workerId, outbox } = this.#session;
    // First of all, so that whatever is assigned from here on reaches this session. The look is a unit of the writing
    // side, which waits for a loss of this worker that is just being recorded.
    sessions.join(this.#session);
    const wanted = await store.write((tx) => chargesOf(tx, this.#deps, workerId));
    const adopted = new Map(join.adopted.map((state) => [state.containerId, state]));
    for (const charge of wanted) {
      const held = adopted.get(charge.id);
      if (held?.fence !== charge.fence) await charge.missed();
      else if (!isGone(held)) charge.kept();
    }
    for (const state of join.adopted) {
      const { containerId, fence } = state;
      const isWanted = wanted.some((charge) => charge.id === containerId && charge.fence === fence);
      if (isWanted || isGone(state)) await this.#state(state);
      else {
        outbox.push({ message: { case: "stop", value: { containerId, fence, graceMs: 0n } } });
      }
    }
  }

  /** Until the worker's side ends; then the session is over. */
  async receive(incoming: AsyncIterator<worker.FromWorker>): Promise<void> {
    const { sessions } = this.#deps;
    try {
      for (let next = await incoming.next(); next.done !== true; next = await incoming.next()) {
        await this.#take(next.value);
      }
    } catch (error) {
      this.#break(error);
    } finally {
      sessions.leave(this.#session);
    }
  }

  async #take({ message }: worker.FromWorker): Promise<void> {
    this.#deps.sessions.renew(this.#session.workerId);
    switch (message.case) {
      case "containerState":
        return this.#state(message.value);
      case "logs":
        return this.#logs(message.value);
      case "imagesGone":
        return this.#deps.sessions.hasLost(this.#session.workerId, message.value.imageIds);
      case "roomWanted":
        return this.#deps.makeRoom(this.#session.workerId, Number(message.value.bytes));
      case "collected":
        return this.#deps.sessions.collected(message.value);
      case "dialFailed":
        return this.#deps.dials.failed(message.value.secret, message.value.reason);
      case "volumeDone":
        return this.#deps.sessions.acted(message.value);
      case "usage":
        return await this.#used(message.value);
      case "renew":
      case "join":
      case undefined:
    }
  }

  /** Undefined when the message is about an older assignment, or another worker's. */
  async #current(id: string, fence: string): Promise<Charge | undefined> {
    const charge = await this.#deps.store.read((tx) => findCharge(tx, this.#deps, id));
    return charge?.fence === fence && charge.workerId === this.#session.workerId ? charge : undefined;
  }

  async #state(state: worker.ContainerState): Promise<void> {
    const { containerId, fence } = state;
    if (isGone(state)) await this.#writing.get(containerId); // its last words come before its end
    const charge = await this.#current(containerId, fence);
    if (isGone(state)) {
      await charge?.ended(state.exit);
      this.#decoders.forget(containerId);
      this.#deps.lineOwners.forget(containerId);
      this.#session.outbox.push({ message: { case: "release", value: { containerId, fence } } });
    } else if (isRunning(state)) {
      await charge?.runs();
    }
  }

  async #used({ containerId, fence, cpuMicroseconds, overMs, memoryBytes }: worker.Usage): Promise<void> {
    const charge = await this.#current(containerId, fence);
    if (charge === undefined || charge.log.functionId === "" || overMs <= 0n) return;
    const { hear, sessions } = this.#deps;
    const milliCpu = Number(cpuMicroseconds) / Number(overMs);
    const memoryMib = Number(memoryBytes) / 1_048_576;
    const { functionId } = charge.log;
    hear({ kind: "containerUsed", functionId, containerId, at: sessions.context().now, milliCpu, memoryMib });
  }

  /** Those of one container go in order; pieces of several, and several of one, go to the disk together. */
  async #logs(logs: worker.Logs): Promise<void> {
    const { containerId, fence } = logs;
    const charge = await this.#current(containerId, fence);
    if (charge === undefined) return;
    const { id, functionId } = charge.log;
    await this.#learnWork(containerId);
    const ownerOf = (time: number, inputId?: string): Owner =>
      this.#deps.lineOwners.ownerOf(containerId, time, inputId);
    const appended = this.#deps.logBook.append(id, {
      containerId,
      fence,
      offset: Number(logs.offset),
      endOffset: Number(logs.endOffset),
      lines: this.#decoders.decode({ id: containerId, functionId }, logs.lines, ownerOf),
      lineEnds: lineEnds(logs),
    });
    const bytes = Number(logs.endOffset - logs.offset);
    this.#bytesWriting += bytes;
    const written = appended
      .then((committed) => {
        const value = { containerId, fence, endOffset: BigInt(committed) };
        this.#session.outbox.push({ message: { case: "logsAck", value } });
      })
      .finally(() => {
        this.#bytesWriting -= bytes;
        if (this.#writing.get(containerId) === written) this.#writing.delete(containerId);
      });
    this.#writing.set(containerId, written);
    written.catch((error: unknown) => this.#break(error));
    if (this.#bytesWriting > mostWritten) await written;
  }

  /** What it held before this server was started. */
  async #learnWork(containerId: string): Promise<void> {
    const { lineOwners, store } = this.#deps;
    if (lineOwners.knows(containerId)) return;
    const held = await store.read((tx) => tx.inputs.heldBy(containerId));
    for (const { id, callId, claimedAt = 0 } of held) {
      lineOwners.began(containerId, [{ inputId: id, callId }], claimedAt, false);
    }
    lineOwners.began(containerId, [], 0, false);
  }

  #break(error: unknown): void {
    this.#deps.log.warn({ err: error, worker: this.#session.workerId }, "a worker's session broke");
    this.#deps.sessions.leave(this.#session);
  }
}

function lineEnds({ offset, lines }: worker.Logs): number[] {
  let end = Number(offset);
  return lines.map(({ size }) => (end += size));
}
