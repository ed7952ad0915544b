/** One worker's session from Join to its end: what each message of the worker changes. */
import type { worker } from "@lydian/contract";

import { advance } from "../containers/begin.ts";
import { endContainer } from "../containers/end.ts";
import type { Container, Exit } from "../domain/container.ts";
import { fail } from "../errors.ts";
import type { LogBook } from "../logs/log-book.ts";
import { LogDecoders } from "../logs/decode.ts";
import { Outbox } from "./outbox.ts";
import type { Session, SessionDeps, ToWorker, WorkerSessions } from "./sessions.ts";
import { exitOf, isGone, isRunning } from "./wire.ts";

export interface StreamDeps extends SessionDeps {
  sessions: WorkerSessions;
  logBook: LogBook;
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

class SessionStream {
  readonly #deps: StreamDeps;
  readonly #session: Session;
  readonly #decoders = new LogDecoders();

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
    const wanted = await store.write((tx) => tx.containers.ofWorker(workerId));
    const adopted = new Map(join.adopted.map((state) => [state.containerId, state]));
    for (const container of wanted) {
      const held = adopted.get(container.id);
      if (held?.fence === container.fence) {
        if (container.state === "ready" && !isGone(held)) sessions.ready(container); // it may not have heard it
        continue;
      }
      if (container.state === "assigned") sessions.assign(container);
      else await this.#end(container, { reason: "lost", message: "its worker came back without it" });
    }
    for (const state of join.adopted) {
      const { containerId, fence } = state;
      const isWanted = wanted.some((container) => container.id === containerId && container.fence === fence);
      if (isWanted || isGone(state)) await this.#state(state);
      else {
        outbox.push({ message: { case: "stop", value: { containerId, fence, graceMs: 0n } } });
      }
    }
  }

  /** Until the worker's side ends; then the session is over. */
  async receive(incoming: AsyncIterator<worker.FromWorker>): Promise<void> {
    const { log, sessions } = this.#deps;
    try {
      for (let next = await incoming.next(); next.done !== true; next = await incoming.next()) {
        await this.#take(next.value);
      }
    } catch (error) {
      log.warn({ err: error, worker: this.#session.workerId }, "a worker's session broke");
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
      case "renew":
      case "join":
      case undefined:
    }
  }

  /** Undefined when the message is about an older assignment, or another worker's. */
  async #current(containerId: string, fence: string): Promise<Container | undefined> {
    const container = await this.#deps.store.read((tx) => tx.containers.get(containerId));
    return container?.fence === fence && container.workerId === this.#session.workerId ? container : undefined;
  }

  async #state(state: worker.ContainerState): Promise<void> {
    const { store, sessions } = this.#deps;
    const { containerId, fence } = state;
    const container = await this.#current(containerId, fence);
    if (isGone(state)) {
      if (container !== undefined) await this.#end(container, exitOf(state.exit));
      this.#decoders.forget(containerId);
      this.#session.outbox.push({ message: { case: "release", value: { containerId, fence } } });
    } else if (container !== undefined && isRunning(state)) {
      await store.note((tx) => advance(tx, container.id, "starting", sessions.context()));
    }
  }

  async #end(container: Container, exit: Exit): Promise<void> {
    const { store, sessions } = this.#deps;
    await store.write((tx) => endContainer(tx, container.id, exit, sessions.context()));
    this.#deps.cutDoors(container.id);
  }

  async #logs(logs: worker.Logs): Promise<void> {
    const { containerId, fence } = logs;
    const container = await this.#current(containerId, fence);
    if (container === undefined) return;
    const committed = await this.#deps.logBook.append(container.appId, {
      containerId,
      offset: Number(logs.offset),
      endOffset: Number(logs.endOffset),
      lines: this.#decoders.decode(container, logs.lines),
      lineEnds: lineEnds(logs),
    });
    const value = { containerId, fence, endOffset: BigInt(committed) };
    this.#session.outbox.push({ message: { case: "logsAck", value } });
  }
}

function lineEnds({ offset, lines }: worker.Logs): number[] {
  let end = Number(offset);
  return lines.map(({ size }) => (end += size));
}
