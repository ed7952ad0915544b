/** Requests whose callers were sent to ask again, as no connection should be silent for long: kept until they come back. */
import type { Clock, Timer } from "@lydian/kit";

import type { WebCalls } from "../web/calls.ts";
import type { Exchange } from "../web/exchange.ts";

/** As the public clients' service names it. */
const parameter = "__modal_function_call_id";

export class WebReturns {
  readonly #web: WebCalls;
  readonly #clock: Clock;
  readonly #keptMs: number;
  readonly #kept = new Map<string, { exchange: Exchange; timer: Timer }>();

  /** `keptMs`: how long a caller may take to come back. */
  constructor(web: WebCalls, clock: Clock, keptMs: number) {
    this.#web = web;
    this.#clock = clock;
    this.#keptMs = keptMs;
  }

  /** Answers where its caller is to ask: the same address, with the call's id, which nobody can guess. */
  keep(exchange: Exchange, target: string): string {
    const { callId } = exchange;
    const timer = this.#clock.timer(this.#keptMs, () => {
      this.#kept.delete(callId);
      void this.#web.abandon(exchange, "http");
    });
    this.#kept.set(callId, { exchange, timer: timer.unref() });
    const [path = "/"] = target.split("?", 1);
    return `${path}?${parameter}=${callId}`;
  }

  /** What a request asks for again; undefined when it is a new one. */
  take(target: string, functionId: string): Exchange | "unknown" | undefined {
    const callId = new URLSearchParams(target.slice(target.indexOf("?") + 1)).get(parameter);
    if (callId === null) return undefined;
    const kept = this.#kept.get(callId);
    if (kept?.exchange.functionId !== functionId) return "unknown";
    kept.timer[Symbol.dispose]();
    this.#kept.delete(callId);
    return kept.exchange;
  }
}
