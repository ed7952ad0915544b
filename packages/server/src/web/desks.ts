/**
 * Requests for containers whose client answers them (`asgi_app` and its kin), handed over in memory: where a container has room and
 * nothing waits before it, a request waits at the container's desk for its next poll, and is in no database. Both ends of it are
 * connections to this server. What nobody has taken when the container is told to end goes elsewhere; what it has taken is lost with it.
 */
import type { FunctionInput, GenericResult } from "@lydian/contract";
import type { Bells, Clock, Id, Logger, NewId, Timer } from "@lydian/kit";

import type { Deliveries } from "../calls/deliveries.ts";
import type { Times } from "../config.ts";
import { drain } from "../containers/begin.ts";
import { containerBell, deskBell, demandBell, idleBell } from "../domain/bells.ts";
import type { Load } from "../domain/container.ts";
import type { FunctionPolicy } from "../domain/function.ts";
import type { Hear } from "../domain/happening.ts";
import type { Store } from "../domain/store.ts";
import type { WebAddress } from "../domain/web-address.ts";
import { decodeDefinition } from "../functions/definition.ts";
import { takesParameters } from "./arguments.ts";
import { inputOf, type WebRequest } from "./asgi.ts";
import { ByContainer } from "./by-container.ts";
import { endedBy, type WebCalls } from "./calls.ts";
import { Exchange, statusOf } from "./exchange.ts";
import { hasEndpoint } from "./endpoints.ts";

/** A request that a container is to have, or has. */
export interface Handed {
  readonly exchange: Exchange;
  readonly address: Pick<WebAddress, "functionId" | "method">;
  readonly inputId: Id<"in">;
  readonly input: FunctionInput;
  readonly since: number;
}

interface Taken extends Handed {
  readonly takenAt: number;
  /** Until its time is up; then, until the container has to have stopped it. */
  timer: Timer;
  isAnswered: boolean;
  /** It is to stop, and the container has heard of that or not. */
  stop: "no" | "untold" | "told";
}

export interface Desk {
  readonly containerId: string;
  readonly functionId: string;
  readonly policy: FunctionPolicy;
  /** Open: nothing waits in the store that it could take instead. Ending: it takes nothing any more. */
  phase: "shut" | "open" | "ending";
  readonly waiting: Handed[];
  readonly taken: Map<string, Taken>;
  /** How many of those have been answered, and are about to be finished. */
  answered: number;
  /** What its last poll was answered with, for when that comes again. */
  last: { key: string | undefined; inputId: string } | undefined;
  /** When the store was last asked whether it is to end, or others wait. */
  lookedAt: number;
  /** When it last had something; 0 for never. */
  until: number;
  /** How many its container has taken. */
  takes: number;
  /** While something waits: looks whether its container takes any of it. */
  watch: Timer | undefined;
}

/** So long at most it takes requests without a look into the store, and lets them wait for a container that takes none. */
const lookMs = 200;

export interface DesksDeps {
  store: Store;
  bells: Bells;
  clock: Clock;
  newId: NewId;
  log: Logger;
  times: Pick<Times, "stopGrace">;
  web: Pick<WebCalls, "adopt" | "call">;
  deliveries: Pick<Deliveries, "count">;
  hear: Hear;
}

export class Desks {
  readonly #deps: DesksDeps;
  readonly #known = new ByContainer((containerId) => this.#look(containerId));

  constructor(deps: DesksDeps) {
    this.#deps = deps;
  }

  /** Undefined for a container whose function is asked in other ways. */
  async of(containerId: string): Promise<Desk | undefined> {
    return await this.#known.of(containerId);
  }

  /** Undefined when no container of the function has room: then it is to be called as any other. */
  begin(address: WebAddress, request: WebRequest): Exchange | undefined {
    const { functionId, method } = address;
    const own = this.#known.ofFunction(functionId);
    const desk = this.#free(own);
    if (desk === undefined) {
      for (const each of own) shut(each); // it waits in the store now, and nobody overtakes it
      return undefined;
    }
    const { bells, newId, web } = this.#deps;
    const exchange = new Exchange(newId("fc"), functionId, request);
    web.adopt(exchange);
    const isFirst = [...own].every((each) => each.waiting.length + each.taken.size === 0);
    if (isFirst && desk.policy.bufferContainers > 0) bells.ring(demandBell); // others are to be ready now
    exchange.over.signal.addEventListener("abort", () => this.#left(exchange), { once: true });
    this.#put(desk, {
      exchange,
      address: { functionId, method },
      inputId: newId("in"),
      input: inputOf(request, method),
      since: this.#deps.clock.now(),
    });
    return exchange;
  }

  /** Of all containers that have some, or have had some. */
  loads(): Load[] {
    const used = this.#known.all().filter(({ until }) => until > 0);
    return used.map(({ containerId, functionId, waiting, taken, until }) => {
      return { containerId, functionId, requests: waiting.length + taken.size, until };
    });
  }

  /** The next one for a container that asks, or what it was answered before; undefined also where the store is to be asked first. */
  take(desk: Desk, poll: { key: string | undefined; slots: number }): Handed | undefined {
    const { clock } = this.#deps;
    const isAlone = poll.slots <= 1 || (poll.key !== undefined && desk.last?.key === poll.key);
    const before = isAlone ? desk.taken.get(desk.last?.inputId ?? "") : undefined;
    if (before !== undefined) return before;
    if (desk.phase === "ending" || desk.lookedAt + lookMs <= clock.now()) return undefined;
    const next = desk.waiting.shift();
    if (next === undefined) return undefined;
    const { inputId, exchange } = next;
    const timer = clock.timer(desk.policy.timeoutMs, () => this.#late(desk, inputId)).unref();
    desk.taken.set(inputId, { ...next, takenAt: clock.now(), timer, isAnswered: false, stop: "no" });
    desk.last = { key: poll.key, inputId };
    desk.takes++;
    exchange.holder = desk.containerId;
    return next;
  }

  /** The container hung up before it could be told. */
  putBack(desk: Desk, { inputId }: Handed): void {
    const taken = desk.taken.get(inputId);
    if (taken === undefined) return;
    taken.timer[Symbol.dispose]();
    desk.taken.delete(inputId);
    if (desk.phase === "ending") void this.#elsewhere([taken]);
    else {
      desk.waiting.unshift(taken);
      this.#deps.bells.ring(deskBell(desk.containerId), 1); // it may have asked again before its old request was seen to be gone
      this.#watch(desk);
    }
  }

  /** The store was asked for this container: whether it has something for it. */
  looked(desk: Desk, found: "inputs" | "nothing" | "end"): void {
    desk.lookedAt = this.#deps.clock.now();
    if (found === "end") this.retire(desk);
    else if (desk.phase !== "ending") desk.phase = found === "nothing" ? "open" : "shut";
    if (found === "inputs") this.#makeRoom(desk);
  }

  /** It is told to end: it has what it has, and what waits goes elsewhere. */
  retire(desk: Desk): void {
    desk.phase = "ending";
    void this.#elsewhere(desk.waiting.splice(0));
  }

  /** Answers whether the container had this from here. */
  finish(containerId: string, inputId: string, result: GenericResult): boolean {
    const desk = this.#known.get(containerId);
    const taken = desk?.taken.get(inputId);
    if (desk === undefined || taken === undefined) return false;
    taken.timer[Symbol.dispose]();
    desk.taken.delete(inputId);
    if (taken.isAnswered) desk.answered--;
    desk.until = this.#deps.clock.now();
    taken.exchange.end(endedBy(result));
    this.#tell(desk, taken);
    this.#rests(desk);
    return true;
  }

  /** What the container has not been told to stop yet; from now on it has. */
  toStop(containerId: string): string[] {
    const untold = [...(this.#known.get(containerId)?.taken.values() ?? [])].filter(({ stop }) => stop === "untold");
    for (const each of untold) each.stop = "told";
    return untold.map(({ inputId }) => inputId);
  }

  has(containerId: string, callId: string): boolean {
    return this.#taken(containerId, callId) !== undefined;
  }

  /** Its code goes on as if it had not heard that its caller is gone. Answers whether it has that from here. */
  stop(containerId: string, callId: string): boolean {
    const taken = this.#taken(containerId, callId);
    if (taken !== undefined) this.#stop(containerId, taken);
    return taken !== undefined;
  }

  /** The container is gone. */
  cut(containerId: string): void {
    const desk = this.#known.forget(containerId);
    if (desk === undefined) return;
    this.retire(desk);
    for (const taken of desk.taken.values()) {
      taken.timer[Symbol.dispose]();
      taken.exchange.end("lost");
      this.#tell(desk, taken);
    }
    desk.taken.clear();
  }

  /**
   * With room as if what is answered were finished. One after the other up to what they are meant for, so that what is not needed has
   * nothing to do.
   */
  #free(own: Iterable<Desk>): Desk | undefined {
    const { deliveries } = this.#deps;
    for (const desk of own) {
      const has = desk.waiting.length + desk.taken.size - desk.answered + deliveries.count(desk.containerId);
      if (desk.phase === "open" && has < desk.policy.targetConcurrency) return desk;
    }
    return undefined;
  }

  #put(desk: Desk, handed: Handed): void {
    desk.waiting.push(handed);
    const { clock, bells } = this.#deps;
    desk.until = clock.now();
    bells.ring(deskBell(desk.containerId), 1);
    this.#watch(desk);
  }

  #watch(desk: Desk): void {
    const { takes } = desk;
    desk.watch ??= this.#deps.clock.timer(lookMs, () => this.#leave(desk, takes)).unref();
  }

  /**
   * A container that asks for nothing is at work behind its answers, or on what a server before this one has given it: what waits for
   * it waits in the store instead, for any container.
   */
  #leave(desk: Desk, takes: number): void {
    desk.watch = undefined;
    if (desk.waiting.length === 0) return;
    if (desk.takes > takes) return this.#watch(desk);
    shut(desk);
    void this.#elsewhere(desk.waiting.splice(0));
  }

  /** It has one from the store, which it may be at for long: what it has no room for any more does not wait behind that. */
  #makeRoom(desk: Desk): void {
    const { containerId, policy, taken, waiting } = desk;
    const room = policy.targetConcurrency - taken.size - this.#deps.deliveries.count(containerId) - 1;
    void this.#elsewhere(waiting.splice(Math.max(0, room)));
  }

  /** Others may wait for the room that its container takes. */
  #rests({ waiting, taken }: Desk): void {
    if (waiting.length + taken.size === 0) this.#deps.bells.ring(idleBell);
  }

  async #elsewhere(handed: readonly Handed[]): Promise<void> {
    const { web, log } = this.#deps;
    for (const each of handed) {
      const { exchange, address } = each;
      if (exchange.over.signal.aborted) continue;
      const desk = this.#free(this.#known.ofFunction(address.functionId));
      if (desk !== undefined) {
        this.#put(desk, each);
        continue;
      }
      try {
        await web.call(exchange, address);
      } catch (error) {
        log.warn(
          { err: error, call: exchange.callId },
          "a web request lost its container and cannot wait for another one",
        );
        exchange.end("lost");
      }
    }
  }

  /** Nobody waits for it any more: what is not taken goes, and what is runs on unless its caller gave it up. */
  #left(exchange: Exchange): void {
    for (const desk of this.#known.ofFunction(exchange.functionId)) {
      const place = desk.waiting.findIndex((each) => each.exchange === exchange);
      if (place < 0) continue;
      desk.waiting.splice(place, 1);
      this.#rests(desk);
    }
    const desk = this.#known.get(exchange.holder ?? "");
    const taken = this.#taken(exchange.holder ?? "", exchange.callId);
    if (taken === undefined || desk === undefined) return;
    if (exchange.isGivenUp) return this.#stop(desk.containerId, taken);
    taken.isAnswered = true;
    desk.answered++;
  }

  #late(desk: Desk, inputId: string): void {
    const taken = desk.taken.get(inputId);
    if (taken === undefined || taken.stop !== "no") return;
    taken.exchange.end("timeout");
    this.#stop(desk.containerId, taken);
    const { clock, times } = this.#deps;
    taken.timer = clock.timer(times.stopGrace, () => void this.#kill(desk, inputId)).unref();
  }

  #tell({ containerId, functionId }: Desk, { exchange, address, since, takenAt }: Taken): void {
    const of = { functionId, containerId, callId: exchange.callId, method: address.method };
    const times = { queuedAt: since, startedAt: takenAt, endedAt: this.#deps.clock.now() };
    this.#deps.hear({ kind: "requestEnded", ...of, ...times, status: statusOf(exchange) });
  }

  #taken(containerId: string, callId: string): Taken | undefined {
    return [...(this.#known.get(containerId)?.taken.values() ?? [])].find(({ exchange }) => exchange.callId === callId);
  }

  #stop(containerId: string, taken: Taken): void {
    if (taken.stop !== "no") return;
    taken.stop = "untold";
    this.#deps.bells.ring(containerBell(containerId));
  }

  /** Its code holds the interpreter and hears nothing: only the container's end surely ends it. */
  async #kill(desk: Desk, inputId: string): Promise<void> {
    const { store, clock, log } = this.#deps;
    if (!desk.taken.has(inputId)) return;
    try {
      await store.write((tx) => drain(tx, desk.containerId, clock.now()));
    } catch (error) {
      log.error(
        { err: error, container: desk.containerId },
        "a container that is out of time could not be told to end",
      );
    }
  }

  async #look(containerId: string): Promise<Desk | undefined> {
    const { container, record } = await this.#deps.store.read(async (tx) => {
      const container = await tx.containers.get(containerId);
      return { container, record: container && (await tx.functions.get(container.functionId)) };
    });
    if (container === undefined || record === undefined || record.binding !== undefined) return undefined;
    const { policy } = record;
    const definition = decodeDefinition(record);
    if (policy.singleUse || policy.batchSize > 0 || !hasEndpoint(definition) || takesParameters(definition))
      return undefined;
    const { functionId } = container;
    const fresh = {
      phase: "shut",
      last: undefined,
      lookedAt: 0,
      until: 0,
      answered: 0,
      takes: 0,
      watch: undefined,
    } as const;
    return { containerId, functionId, policy, ...fresh, waiting: [], taken: new Map() };
  }
}

function shut(desk: Desk): void {
  if (desk.phase === "open") desk.phase = "shut";
}
