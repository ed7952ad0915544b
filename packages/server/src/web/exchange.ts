/**
 * One web request on its way: what its caller and its container say to each other, in memory and with back-pressure both ways.
 *
 * Both ends are live connections, so nothing of it is worth a row: when the server dies, the caller's connection is gone.
 */
import type { Id } from "@lydian/kit";

import type { Chunk } from "../domain/chunk.ts";
import type { RequestEnded } from "../domain/happening.ts";
import { fail } from "../errors.ts";
import { type AsgiMessage, decodeMessage, type WebRequest } from "./asgi.ts";
import { Pulse } from "./pulse.ts";

/** How the call ended, seen by its caller. */
export type Ended =
  /** Its code came to its end. */
  | "finished"
  /** Its code threw. */
  | "failed"
  /** Its container is gone, or could not be had. */
  | "lost"
  | "timeout"
  /** Nothing takes connections where its server should be. */
  | "unreachable"
  /** Somebody stopped it. */
  | "stopped";

/** What its container is said to have made of it, once it is done. */
export function statusOf({ ended, isGivenUp }: Exchange): RequestEnded["status"] {
  if (isGivenUp || ended === "stopped") return "terminated";
  return ended === "finished" ? "success" : ended === "timeout" ? "timeout" : "failure";
}

/** One way may hold so many bytes before its sender waits. */
const roomBytes = 1024 * 1024;
/** What the container has been given already, kept for a stream that breaks and is opened again, in bytes. */
const keptBytes = 1024 * 1024;

/** One for all: an error of its own for each would be made with its stack. */
const isOver = new Error("The exchange is over.");

interface Said {
  index: number;
  data: Uint8Array;
}

export class Exchange {
  readonly callId: Id<"fc">;
  readonly functionId: string;
  /** Aborts when nobody is interested in how the call ends any more. */
  readonly over = new AbortController();
  /** The container that has the call, once it has shown that it does. */
  holder: string | undefined;
  /** A server of a user's own (`app.server`) has it: how it is answered is counted, as its callers have no calls. */
  isOfServer = false;
  /** It is a call, in the store. */
  isCall = false;
  /** Its caller is gone before it had its answer. */
  isGivenUp = false;
  #ended: Ended | undefined;
  #hasBegun = false;

  readonly #towardsApp: Said[] = [];
  #lastSaid = 0;
  #readUpTo = 0;
  #unreadBytes = 0;
  #readBytes = 0;
  readonly #appMoved = new Pulse();

  readonly #fromApp: { message: AsgiMessage; bytes: number }[] = [];
  #lastHeard = 0;
  #heardBytes = 0;
  readonly #callerMoved = new Pulse();

  /** As its caller said it, for who answers in this process. */
  readonly request: WebRequest | undefined;

  constructor(callId: Id<"fc">, functionId: string, request?: WebRequest) {
    this.callId = callId;
    this.functionId = functionId;
    this.request = request;
  }

  /** Undefined while the call goes on. */
  get ended(): Ended | undefined {
    return this.#ended;
  }

  /** The call has an output: what its container has said until then is still there to take. */
  end(how: Ended): void {
    this.#ended ??= how;
    this.#wakeAll();
  }

  /** Nobody takes anything any more; whoever waits for room goes on at once. */
  close(): void {
    this.over.abort(isOver);
    this.#fromApp.length = 0;
    this.#wakeAll();
  }

  /** The caller's word. Resolves when there is room for the next one, or nobody to hear it. */
  async say(data: Uint8Array): Promise<void> {
    if (this.over.signal.aborted) return;
    this.#towardsApp.push({ index: ++this.#lastSaid, data });
    this.#unreadBytes += data.length;
    this.#appMoved.beat();
    while (this.#unreadBytes > roomBytes && this.#ended === undefined && !this.over.signal.aborted)
      await this.#appMoved.next();
  }

  /** The container has been given all that the caller has said, or nobody hears it any more. */
  get isHeard(): boolean {
    return this.#readUpTo === this.#lastSaid || this.#ended !== undefined || this.over.signal.aborted;
  }

  async heard(): Promise<void> {
    while (!this.isHeard) await this.#appMoved.next();
  }

  /**
   * What the caller says after this index, for the container; waits for more until `signal` aborts. A container that has lost
   * its stream asks again from where it was; throws when that is no longer there.
   */
  async *listen(after: number, signal: AbortSignal): AsyncGenerator<Said> {
    const wake = (): void => this.#appMoved.beat();
    signal.addEventListener("abort", wake);
    try {
      for (let last = after; !signal.aborted;) {
        if (last >= this.#lastSaid) {
          await this.#appMoved.next();
          continue;
        }
        const next = this.#towardsApp[last + 1 - (this.#towardsApp[0]?.index ?? 0)];
        if (next === undefined)
          throw fail("aborted", `Request ${this.callId} is not kept from message ${last + 1} on.`);
        last = next.index;
        this.#read(next);
        yield next;
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  /** The container's words, in order; what is there already is passed over. Resolves when there is room for more. */
  async hear(chunks: readonly Chunk[], open: (blobId: string) => AsyncIterable<AsgiMessage>): Promise<void> {
    for (const { index, data } of chunks) {
      if (index <= this.#lastHeard) continue; // its reply was lost, and it is said again
      if (index !== this.#lastHeard + 1) throw fail("invalidArgument", `Message ${this.#lastHeard + 1} is missing.`);
      this.#lastHeard = index;
      if (data instanceof Uint8Array) this.#take(decodeMessage(data), data.length);
      else {
        for await (const message of open(data.blobId)) {
          this.#take(message, message.case === "httpResponseBody" ? message.value.body.length : 0);
          await this.#room();
        }
      }
    }
    await this.#room();
  }

  /** The same of who answers in this process. `bytes`: how much of the room it takes. */
  async tell(message: AsgiMessage, bytes = 0): Promise<void> {
    this.#hasBegun = true;
    this.#take(message, bytes);
    await this.#room();
  }

  /** Something was told. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Resolves when `next` has something to answer, or the call has ended, or nobody waits any more. */
  async ready(): Promise<void> {
    while (!this.hasNext && this.#ended === undefined && !this.over.signal.aborted) await this.#callerMoved.next();
  }

  get hasNext(): boolean {
    return this.#fromApp.length > 0;
  }

  /** What the container has said first that nobody has taken. */
  next(): AsgiMessage | undefined {
    const first = this.#fromApp.shift();
    this.#heardBytes -= first?.bytes ?? 0;
    this.#callerMoved.beat();
    return first?.message;
  }

  #take(message: AsgiMessage, bytes: number): void {
    if (this.over.signal.aborted) return;
    this.#fromApp.push({ message, bytes });
    this.#heardBytes += bytes;
    this.#callerMoved.beat();
  }

  async #room(): Promise<void> {
    while (this.#heardBytes > roomBytes && !this.over.signal.aborted) await this.#callerMoved.next();
  }

  #read({ index, data }: Said): void {
    if (index > this.#readUpTo) {
      this.#readUpTo = index;
      this.#unreadBytes -= data.length;
      this.#readBytes += data.length;
    }
    while (this.#readBytes > keptBytes && (this.#towardsApp[0]?.index ?? index) < index) {
      this.#readBytes -= this.#towardsApp.shift()?.data.length ?? 0;
    }
    this.#appMoved.beat();
  }

  #wakeAll(): void {
    this.#appMoved.beat();
    this.#callerMoved.beat();
  }
}
