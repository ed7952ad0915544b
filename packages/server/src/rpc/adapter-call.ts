/** What a handler knows about the call it answers. */
import { fail } from "../errors.ts";
import type { GrpcCall } from "../grpc/call.ts";

/** Who calls. A container or worker is known by its connection, a user by a token. */
export type Caller =
  | { readonly kind: "user"; readonly tokenId: string }
  /** A `restricted` one may take inputs and give outputs, and nothing else. */
  | { readonly kind: "container"; readonly id: string; readonly restricted: boolean }
  | { readonly kind: "worker"; readonly id: string }
  /** Whoever was given a token for one container's commands, by the container's id. */
  | { readonly kind: "task"; readonly id: string }
  | { readonly kind: "anyone" };

/** What a call's own stream says of it. */
type Wire = Pick<GrpcCall<unknown>, "deadlineMs" | "header">;

/** One RPC in progress. */
export interface Call<C extends Caller = Caller> {
  /** The method's name on the wire, such as `AppCreate`. */
  readonly rpc: string;
  readonly caller: C;
  /** `x-modal-client-version`, such as `1.6.4`; JavaScript says `1.0.0`. */
  readonly clientVersion: string | undefined;
  /** `x-modal-client-type`: 1 Python, 3 container, 8 JavaScript, 9 Go; 0 when it says nothing. */
  readonly clientType: number;
  /** `x-idempotency-key`: the same on every repetition of one call. */
  readonly idempotencyKey: string | undefined;
  /** `x-retry-attempt`: 0 on the first try. */
  readonly retryAttempt: number;
  /** When the client gives up, in milliseconds since the epoch; `Infinity` when it set no deadline. */
  readonly deadlineMs: number;
  /** Aborts, with a ServerError as its reason, when the client cancels, disconnects, or its deadline passes. */
  readonly signal: AbortSignal;
  /** Any other metadata value by its name in lower case; undefined when absent or binary. */
  header(name: string): string | undefined;
  /** Shows the user this text beside the reply (Python 1.6 and JavaScript print it; older clients ignore it). */
  warn(text: string): void;
}

/** The adapter's side of a call. */
export class OpenCall<C extends Caller = Caller> implements Call<C> {
  readonly rpc: string;
  readonly caller: C;
  readonly deadlineMs: number;
  readonly #wire: Wire;
  readonly #warnings: string[] = [];
  /** Made when first asked for: most unary handlers never look at it. */
  #abort: AbortController | undefined;
  #state: "open" | "cancelled" | "done" = "open";

  constructor(rpc: string, caller: C, wire: Wire) {
    this.rpc = rpc;
    this.caller = caller;
    this.#wire = wire;
    this.deadlineMs = wire.deadlineMs;
  }

  get clientVersion(): string | undefined {
    return this.header("x-modal-client-version");
  }

  get clientType(): number {
    return wholeNumber(this.header("x-modal-client-type"));
  }

  get idempotencyKey(): string | undefined {
    return this.header("x-idempotency-key");
  }

  get retryAttempt(): number {
    return wholeNumber(this.header("x-retry-attempt"));
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#state === "cancelled") this.#abort.abort(this.#cancelReason());
    }
    return this.#abort.signal;
  }

  get cancelled(): boolean {
    return this.#state === "cancelled";
  }

  get warnings(): readonly string[] {
    return this.#warnings;
  }

  header(name: string): string | undefined {
    return this.#wire.header(name) || undefined;
  }

  warn(text: string): void {
    this.#warnings.push(text);
  }

  /** The client is gone; does nothing after the answer. */
  cancel(): void {
    if (this.#state !== "open") return;
    this.#state = "cancelled";
    this.#abort?.abort(this.#cancelReason());
  }

  /** The answer is on its way. */
  finish(): void {
    if (this.#state === "open") this.#state = "done";
  }

  #cancelReason(): Error {
    return Date.now() >= this.deadlineMs
      ? fail("deadlineExceeded", `The client's deadline for ${this.rpc} passed.`)
      : fail("cancelled", `The client cancelled ${this.rpc}.`);
  }
}

function wholeNumber(text: string | undefined): number {
  const value = Number(text ?? 0);
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
