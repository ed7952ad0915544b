/**
 * Requests for servers of users' own (`web_server`), carried straight to the container's port: its client never hears of them.
 *
 * One that has to wait for a container is a call as any other: it is claimed in the container's name, and how it ends is reported
 * in its name too. Where a container that has answered before has room, a request begins there at once, and is in no database:
 * all that there is to it are two connections to this server. The scheduler is told how many such there are.
 */
import { create } from "@bufbuild/protobuf";
import { DataFormat, GenericResultSchema, GenericResult_GenericStatus as Status } from "@lydian/contract";
import { type Bells, type Clock, type Logger, type NewId, sleep } from "@lydian/kit";

import type { ClaimedInput } from "../calls/claim.ts";
import { completeInputs } from "../calls/complete.ts";
import type { Deliveries } from "../calls/deliveries.ts";
import { encodeResult, failureResult } from "../calls/result.ts";
import type { Timeouts } from "../calls/timeouts.ts";
import { drain, exitGraceMs } from "../containers/begin.ts";
import type { Load } from "../domain/container.ts";
import { demandBell, idleBell } from "../domain/bells.ts";
import type { FunctionPolicy } from "../domain/function.ts";
import type { Hear } from "../domain/happening.ts";
import type { Store, Tx } from "../domain/store.ts";
import { isFail } from "../errors.ts";
import { decodeDefinition } from "../functions/definition.ts";
import type { Dials } from "../workers/dials.ts";
import { AppServer } from "./app-server.ts";
import type { WebRequest } from "./asgi.ts";
import { ByContainer } from "./by-container.ts";
import type { WebCalls } from "./calls.ts";
import { type Ended, Exchange, statusOf } from "./exchange.ts";
import { serverPortOf } from "./endpoints.ts";
import { Pulse } from "./pulse.ts";

/** A container whose requests are carried. */
export interface Straight {
  readonly containerId: string;
  readonly functionId: string;
  readonly policy: FunctionPolicy;
  readonly server: AppServer;
  /** Of `app.server`, whose requests are no calls to its client. */
  readonly isServer: boolean;
  /** What is under way, each with what stops it. */
  readonly carried: Map<string, AbortController>;
  readonly moved: Pulse;
  /** Open: it takes requests that are no calls, too, for it has answered one that was, and is not told to end. */
  phase: "new" | "open" | "ending";
  /** Its port has taken a connection. */
  isListening: boolean;
  /** How many of those are under way, and when the last of them ended. */
  uncounted: number;
  uncountedUntil: number;
}

export interface StraightDeps {
  store: Store;
  bells: Bells;
  clock: Clock;
  newId: NewId;
  log: Logger;
  web: Pick<WebCalls, "find">;
  dials: Pick<Dials, "open">;
  /** Whether the worker's containers have ports of their own. */
  hasOwnNetwork: (workerId: string) => boolean;
  timeouts: Pick<Timeouts, "finished">;
  deliveries: Pick<Deliveries, "finished">;
  hear: Hear;
}

/** A server that starts is tried that often. */
const tryAgainMs = 50;

const succeeded = encodeResult(create(GenericResultSchema, { status: Status.SUCCESS }), DataFormat.UNSPECIFIED);

const whys: Record<Exclude<Ended, "finished">, string> = {
  failed: "The web server broke the connection before it had answered.",
  unreachable: "Nothing takes connections on the web server's port.",
  lost: "The container is gone.",
  timeout: "It ran longer than its timeout.",
  stopped: "It was stopped.",
};

export class StraightCalls {
  readonly #deps: StraightDeps;
  readonly #known = new ByContainer((containerId) => this.#look(containerId));

  constructor(deps: StraightDeps) {
    this.#deps = deps;
  }

  /** Undefined for a container whose client answers its requests itself. */
  async of(containerId: string): Promise<Straight | undefined> {
    return await this.#known.of(containerId);
  }

  /** Undefined when no container of the function has room: then it is to be called as any other. */
  begin(functionId: string, request: WebRequest): Exchange | undefined {
    const own = [...this.#known.ofFunction(functionId)];
    const isFree = ({ phase, carried, policy }: Straight): boolean =>
      phase === "open" && carried.size < policy.maxConcurrency;
    // One after the other up to what they are meant for, so that what is not needed has nothing to do.
    const target = own.find((each) => isFree(each) && each.carried.size < each.policy.targetConcurrency);
    const straight = target ?? own.filter(isFree).toSorted((a, b) => a.carried.size - b.carried.size)[0];
    if (straight === undefined) return undefined;
    const exchange = new Exchange(this.#deps.newId("fc"), functionId, request);
    const isFirst = own.every(({ uncounted }) => uncounted === 0);
    // More containers may be needed now.
    if (target === undefined || (isFirst && straight.policy.bufferContainers > 0)) this.#deps.bells.ring(demandBell);
    this.#serve(straight, exchange).catch((error: unknown) => {
      this.#deps.log.error({ err: error, container: straight.containerId }, "a container could not be told to end");
    });
    return exchange;
  }

  /**
   * Whether `app.server` has as many containers as it may, and each as many requests as it may: then the next one is refused, as its
   * clients say. Where another container may come, requests wait for that.
   */
  isFull(functionId: string): boolean {
    const own = [...this.#known.ofFunction(functionId)].filter(({ phase }) => phase !== "ending");
    const [first] = own;
    if (first?.isServer !== true || own.length < first.policy.maxContainers) return false;
    return own.every(({ carried, policy }) => carried.size >= policy.maxConcurrency);
  }

  /** Of all containers that have some, or have had some. */
  loads(): Load[] {
    const used = this.#known.all().filter(({ uncountedUntil }) => uncountedUntil > 0);
    return used.map(({ containerId, functionId, uncounted, uncountedUntil }) => {
      return { containerId, functionId, requests: uncounted, until: uncountedUntil };
    });
  }

  /** It is told to end: it has what it has. */
  retire(straight: Straight): void {
    straight.phase = "ending";
  }

  /** Returns at once; one that is carried already is not carried again. */
  carry(straight: Straight, input: ClaimedInput): void {
    if (straight.carried.has(input.id)) return;
    const stop = new AbortController();
    straight.carried.set(input.id, stop);
    this.#carry(straight, input, stop.signal).catch((error: unknown) => {
      this.#deps.log.error({ err: error, input: input.id }, "the end of a web request could not be written down");
    });
  }

  /** Tries the port, which tells nobody when it is open, until it is or the signal aborts. */
  async listens(straight: Straight, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!straight.isListening && !signal.aborted) {
      const socket = await straight.server.connect().catch((error: unknown) => {
        if (!isFail(error, "unavailable")) throw error;
      });
      straight.isListening = socket !== undefined;
      socket?.destroy();
      if (socket === undefined) await sleep(clock, tryAgainMs, signal);
    }
  }

  /** Waits until the container can take one more, or the signal aborts. */
  async room(straight: Straight, signal: AbortSignal): Promise<void> {
    await this.#until(straight, signal, () => straight.carried.size < straight.policy.maxConcurrency);
  }

  /** Waits until it has nothing more to do. */
  async idle(straight: Straight, signal: AbortSignal): Promise<void> {
    await this.#until(straight, signal, () => straight.carried.size === 0);
  }

  /** These are to end now. */
  stop(containerId: string, inputIds: readonly string[]): void {
    const carried = this.#known.get(containerId)?.carried;
    for (const id of inputIds) carried?.get(id)?.abort();
  }

  /** The container is gone. */
  cut(containerId: string): void {
    this.#known.forget(containerId)?.server.close();
  }

  async #look(containerId: string): Promise<Straight | undefined> {
    const { store, dials, hasOwnNetwork } = this.#deps;
    const { container, record, edition } = await store.read(async (tx) => {
      const container = await tx.containers.get(containerId);
      const record = container && (await tx.functions.get(container.functionId));
      return { container, record, edition: container && (await tx.editions.get(container.definitionId)) };
    });
    if (container === undefined || record === undefined || !hasOwnNetwork(container.workerId)) return undefined;
    // A deployment may have replaced it: it listens where its own definition says.
    const definition = decodeDefinition(edition ?? record);
    const port = serverPortOf(definition);
    const { policy } = record;
    if (port === undefined || policy.singleUse) return undefined;
    const server = new AppServer(() => dials.open(container, port));
    const { functionId } = container;
    const fresh = {
      carried: new Map(),
      moved: new Pulse(),
      phase: "new" as const,
      isServer: definition.isServer,
      isListening: !definition.isServer, // the clients wait for the port of a `web_server` themselves
      uncounted: 0,
      uncountedUntil: 0,
    };
    return { containerId, functionId, policy, server, ...fresh };
  }

  async #serve(straight: Straight, exchange: Exchange): Promise<void> {
    const { clock, store, hear } = this.#deps;
    const { callId } = exchange;
    const began = clock.now();
    exchange.holder = straight.containerId;
    const stop = new AbortController();
    let isLate = false;
    straight.carried.set(callId, stop);
    straight.uncounted++;
    straight.uncountedUntil = began;
    let ended: Ended;
    {
      using _time = clock.timer(straight.policy.timeoutMs, () => {
        isLate = true;
        stop.abort();
      });
      ended = await this.#run(straight, exchange, stop.signal);
    }
    straight.carried.delete(callId);
    straight.uncounted--;
    straight.uncountedUntil = clock.now();
    straight.moved.beat();
    if (straight.carried.size === 0) this.#deps.bells.ring(idleBell);
    exchange.end(isLate ? "timeout" : ended);
    const times = { queuedAt: began, startedAt: began, endedAt: clock.now() };
    const { containerId, functionId } = straight;
    hear({ kind: "requestEnded", functionId, containerId, callId, method: "", ...times, status: statusOf(exchange) });
    if (ended === "unreachable") await store.write((tx) => this.#drain(tx, straight));
  }

  /** As the clients do: a container whose server is gone takes no more. */
  async #drain(tx: Tx, straight: Straight): Promise<void> {
    this.retire(straight);
    await drain(tx, straight.containerId, this.#deps.clock.now() + straight.policy.timeoutMs + exitGraceMs);
  }

  async #carry(straight: Straight, input: ClaimedInput, stop: AbortSignal): Promise<void> {
    const exchange = this.#deps.web.find(input.callId); // none: its caller is gone
    const ended = exchange?.request === undefined ? "stopped" : await this.#run(straight, exchange, stop);
    const isStopped = stop.aborted || exchange?.over.signal.aborted === true;
    if (!stop.aborted) exchange?.end(ended); // why it was stopped stands in its output
    try {
      await this.#report(straight, input, ended !== "finished" && isStopped ? "stopped" : ended);
    } finally {
      straight.carried.delete(input.id);
      straight.moved.beat();
    }
  }

  async #run({ server, isServer }: Straight, exchange: Exchange, stop: AbortSignal): Promise<Ended> {
    exchange.isOfServer = isServer;
    if (exchange.request === undefined) return "stopped";
    const stopped = new Promise<"stopped">((resolve) => {
      stop.addEventListener("abort", () => resolve("stopped"), { once: true });
    });
    return await Promise.race([server.carry(exchange, exchange.request), stopped]);
  }

  async #report(straight: Straight, input: ClaimedInput, ended: Ended): Promise<void> {
    const { containerId } = straight;
    const { store, clock, newId, timeouts, deliveries } = this.#deps;
    const result = ended === "finished" ? succeeded : failureResult({ status: "failure", message: whys[ended] });
    const outcome = ended === "finished" ? "success" : ended === "stopped" ? "terminated" : "failure";
    const completion = { inputId: input.id, attempt: input.attempt, outcome, result, startedAt: undefined } as const;
    await store.note(async (tx) => {
      const context = { now: clock.now(), newId };
      await completeInputs(tx, containerId, [completion], context);
      if (ended === "unreachable") await this.#drain(tx, straight);
    });
    timeouts.finished(input.id);
    deliveries.finished(containerId, [input.id]);
    if (ended === "finished" && straight.phase === "new") straight.phase = "open";
  }

  async #until({ moved }: Straight, signal: AbortSignal, isSo: () => boolean): Promise<void> {
    const wake = (): void => moved.beat();
    signal.addEventListener("abort", wake);
    try {
      while (!isSo() && !signal.aborted) await moved.next();
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }
}
