/** A web socket as a web function has it: made of the request that asks for it, and accepted by the answer that it comes with. */
import { InvalidError } from "../errors.ts";

/** What one message of a web socket is. */
export type Frame = string | Uint8Array<ArrayBuffer>;

/** What carries a socket's frames to its caller. */
export interface Carrier {
  /** Sends a text or bytes. */
  send(frame: Frame): void;
  close(code: number, reason: string): void;
}

/** How a web socket is accepted. */
export interface UpgradeOptions {
  /** One of those that the caller offers (`sec-websocket-protocol`). */
  protocol?: string;
  /** Of the answer that accepts it. */
  headers?: Record<string, string>;
}

type Kind = "open" | "message" | "close";
type Listener = (event: never) => unknown;

/**
 * The end in the container, with the events of the web's own WebSocket: `message` (its `data` is a text or a Uint8Array) and
 * `close` (with `code` and `reason`). What is sent before the answer is given goes out when it is.
 */
export class ServerSocket extends EventTarget {
  /** The one that was agreed on; empty for none. */
  readonly protocol: string;
  #state: 0 | 1 | 2 | 3 = 0;
  #carrier: Carrier | undefined;
  readonly #early: Frame[] = [];
  #farewell: { code: number; reason: string } | undefined;

  /** @internal */
  constructor(protocol: string) {
    super();
    this.protocol = protocol;
  }

  /** 0: the answer is not given yet; 1: open; 2: closing; 3: closed. */
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#state;
  }

  /** Sends a text or bytes, after all that was sent before. Nothing happens once it is closed. */
  send(frame: string | ArrayBuffer | ArrayBufferView): void {
    if (this.#state > 1) return; // as everywhere: what is said to a closed socket is lost
    const own = typeof frame === "string" ? frame : bytesOf(frame);
    if (this.#carrier === undefined) this.#early.push(own);
    else this.#carrier.send(own);
  }

  /** Ends it, with a code of 1000 or from 3000 to 4999. */
  close(code = 1000, reason = ""): void {
    if (this.#state > 1) return;
    this.#state = 2;
    this.#farewell = { code, reason };
    this.#carrier?.close(code, reason);
    this.ended(code, reason);
  }

  override addEventListener(
    kind: "message",
    listener: (event: MessageEvent & { readonly data: Frame }) => unknown,
    options?: AddEventListenerOptions,
  ): void;
  override addEventListener(
    kind: "close",
    listener: (event: CloseEvent) => unknown,
    options?: AddEventListenerOptions,
  ): void;
  override addEventListener(kind: "open", listener: (event: Event) => unknown, options?: AddEventListenerOptions): void;
  override addEventListener(kind: Kind, listener: Listener, options?: AddEventListenerOptions): void {
    super.addEventListener(kind, listener as (event: Event) => void, options);
  }

  /** @internal The answer that accepts it is given. */
  opened(carrier: Carrier): void {
    this.#carrier = carrier;
    for (const frame of this.#early.splice(0)) carrier.send(frame);
    if (this.#farewell !== undefined) return carrier.close(this.#farewell.code, this.#farewell.reason);
    this.#state = 1;
    this.dispatchEvent(new Event("open"));
  }

  /** @internal */
  received(data: Frame): void {
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  /** @internal */
  ended(code: number, reason: string): void {
    if (this.#state === 3) return;
    this.#state = 3;
    this.dispatchEvent(new CloseEvent("close", { code, reason, wasClean: code !== 1006 }));
  }
}

/** What is known of a request that asks for a socket. */
interface Upgrade {
  readonly offered: readonly string[];
  made: ServerSocket | undefined;
}

/** What accepts a socket. */
export interface Accepted {
  readonly socket: ServerSocket;
  readonly headers: Readonly<Record<string, string>>;
}

// By the requests and the answers themselves, in one place for all modules of this package.
const upgrades = new WeakMap<Request, Upgrade>();
const answers = new WeakMap<Response, Accepted>();

/** @internal */
export function offerSocket(request: Request, offered: readonly string[]): void {
  upgrades.set(request, { offered, made: undefined });
}

/** @internal Undefined for an answer of any other kind. */
export function acceptedBy(response: Response): Accepted | undefined {
  return answers.get(response);
}

/**
 * Accepts the web socket that a request asks for: `const { socket, response } = upgradeWebSocket(request)`; listen to the
 * socket, and return the response. An InvalidError for a request that asks for none (its `upgrade` header says whether).
 */
export function upgradeWebSocket(
  request: Request,
  { protocol = "", headers = {} }: UpgradeOptions = {},
): { socket: ServerSocket; response: Response } {
  const upgrade = upgrades.get(request);
  if (upgrade === undefined) {
    throw new InvalidError("the request asks for no web socket, or is not the one that the web function was given", {
      hint: 'look at request.headers.get("upgrade") first; of a framework give the raw request, such as c.req.raw',
    });
  }
  if (upgrade.made !== undefined) throw new InvalidError("the request's web socket was accepted before");
  if (protocol !== "" && !upgrade.offered.includes(protocol)) {
    throw new InvalidError(`the caller does not offer the protocol ${JSON.stringify(protocol)}`, {
      hint: `it offers: ${upgrade.offered.join(", ") || "none"}`,
    });
  }
  const socket = new ServerSocket(protocol);
  upgrade.made = socket;
  const response = new Response(null);
  answers.set(response, { socket, headers });
  return { socket, response };
}

function bytesOf(frame: ArrayBuffer | ArrayBufferView): Uint8Array<ArrayBuffer> {
  return frame instanceof ArrayBuffer
    ? new Uint8Array(frame.slice(0))
    : new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength).slice();
}
