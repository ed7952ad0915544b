/**
 * Requests for servers of users' own (`web_server`): the container claims them as any others, but its client never hears of them.
 * They are carried straight to the port, and how that ends is reported in the container's name.
 */
import { create } from "@bufbuild/protobuf";
import { DataFormat, GenericResultSchema, GenericResult_GenericStatus as Status, WebhookType } from "@lydian/contract";
import type { Clock, Logger, NewId } from "@lydian/kit";

import type { ClaimedInput } from "../calls/claim.ts";
import { completeInputs } from "../calls/complete.ts";
import type { Deliveries } from "../calls/deliveries.ts";
import { encodeResult, failureResult } from "../calls/result.ts";
import type { Timeouts } from "../calls/timeouts.ts";
import { drain, exitGraceMs } from "../containers/begin.ts";
import type { Store } from "../domain/store.ts";
import { decodeDefinition } from "../functions/definition.ts";
import type { Dials } from "../workers/dials.ts";
import { AppServer } from "./app-server.ts";
import type { WebCalls } from "./calls.ts";
import type { Ended, Exchange } from "./exchange.ts";
import { Pulse } from "./pulse.ts";

/** A container whose requests are carried. */
export interface Straight {
  readonly containerId: string;
  /** How many it takes at a time. */
  readonly most: number;
  /** How long one may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly server: AppServer;
  /** What is under way, each with what stops it. */
  readonly carried: Map<string, AbortController>;
  readonly moved: Pulse;
}

export interface StraightDeps {
  store: Store;
  clock: Clock;
  newId: NewId;
  log: Logger;
  web: Pick<WebCalls, "find">;
  dials: Pick<Dials, "open">;
  /** Whether the worker's containers have ports of their own. */
  hasOwnNetwork: (workerId: string) => boolean;
  timeouts: Pick<Timeouts, "finished">;
  deliveries: Pick<Deliveries, "finished">;
}

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
  readonly #known = new Map<string, Straight | "none">();

  constructor(deps: StraightDeps) {
    this.#deps = deps;
  }

  /** Undefined for a container whose client answers its requests itself. */
  async of(containerId: string): Promise<Straight | undefined> {
    const known = this.#known.get(containerId);
    if (known !== undefined) return known === "none" ? undefined : known;
    const found = await this.#look(containerId);
    const now = this.#known.get(containerId); // somebody else may have looked meanwhile
    if (now === undefined) this.#known.set(containerId, found ?? "none");
    return now === undefined || now === "none" ? found : now;
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

  /** Waits until the container can take one more, or the signal aborts. */
  async room(straight: Straight, signal: AbortSignal): Promise<void> {
    await this.#until(straight, signal, () => straight.carried.size < straight.most);
  }

  /** Waits until it has nothing more to do. */
  async idle(straight: Straight, signal: AbortSignal): Promise<void> {
    await this.#until(straight, signal, () => straight.carried.size === 0);
  }

  /** These are to end now. */
  stop(containerId: string, inputIds: readonly string[]): void {
    const straight = this.#known.get(containerId);
    if (typeof straight === "object") for (const id of inputIds) straight.carried.get(id)?.abort();
  }

  /** The container is gone. */
  cut(containerId: string): void {
    const straight = this.#known.get(containerId);
    this.#known.delete(containerId);
    if (typeof straight === "object") straight.server.close();
  }

  async #look(containerId: string): Promise<Straight | undefined> {
    const { store, dials, hasOwnNetwork } = this.#deps;
    const { container, record } = await store.read(async (tx) => {
      const container = await tx.containers.get(containerId);
      return { container, record: container && (await tx.functions.get(container.functionId)) };
    });
    if (container === undefined || record === undefined || !hasOwnNetwork(container.workerId)) return undefined;
    const { webhookConfig } = decodeDefinition(record);
    const { singleUse, maxConcurrency, timeoutMs } = record.policy;
    if (webhookConfig?.type !== WebhookType.WEB_SERVER || singleUse) return undefined;
    const server = new AppServer(() => dials.open(container, webhookConfig.webServerPort));
    return { containerId, most: maxConcurrency, timeoutMs, server, carried: new Map(), moved: new Pulse() };
  }

  async #carry(straight: Straight, input: ClaimedInput, stop: AbortSignal): Promise<void> {
    const exchange = this.#deps.web.find(input.callId); // none: its caller is gone
    const ended = exchange?.request === undefined ? "stopped" : await this.#run(straight, exchange, stop);
    try {
      await this.#report(straight, input, stop.aborted || exchange?.over.signal.aborted === true ? "stopped" : ended);
    } finally {
      straight.carried.delete(input.id);
      straight.moved.beat();
    }
    exchange?.end(ended);
  }

  async #run({ server }: Straight, exchange: Exchange, stop: AbortSignal): Promise<Ended> {
    if (exchange.request === undefined) return "stopped";
    const ended = await Promise.race([
      server.carry(exchange, exchange.request),
      new Promise<"stopped">((resolve) => stop.addEventListener("abort", () => resolve("stopped"), { once: true })),
    ]);
    return ended;
  }

  async #report({ containerId, timeoutMs }: Straight, input: ClaimedInput, ended: Ended): Promise<void> {
    const { store, clock, newId, timeouts, deliveries } = this.#deps;
    const result = ended === "finished" ? succeeded : failureResult({ status: "failure", message: whys[ended] });
    const outcome = ended === "finished" ? "success" : ended === "stopped" ? "terminated" : "failure";
    const completion = { inputId: input.id, attempt: input.attempt, outcome, result, startedAt: undefined } as const;
    await store.note(async (tx) => {
      const context = { now: clock.now(), newId };
      await completeInputs(tx, containerId, [completion], context);
      // As the clients do: a container whose server is gone takes no more.
      if (ended === "unreachable") await drain(tx, containerId, context.now + timeoutMs + exitGraceMs);
    });
    timeouts.finished(input.id);
    deliveries.finished(containerId, [input.id]);
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
