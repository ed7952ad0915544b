/** Brings a request's body to its exchange, piece by piece as the container takes it. */
import type { IncomingMessage } from "node:http";

import type { Clock } from "@lydian/kit";

import { encodeBody } from "../web/asgi.ts";
import type { Exchange } from "../web/exchange.ts";

export interface BodyLimits {
  /** The whole body, in bytes. */
  mostBytes: number;
  /** How long the caller may be silent in the middle, or take nothing of its answer, in milliseconds. */
  silenceMs: number;
}

/** `whole`: all is said. `gone`: the caller is. */
export type BodyEnd = "whole" | "tooLarge" | "tooSlow" | "gone";

/** Bodies up to this size are taken in before a container is asked, so that slow callers hold none. */
const smallBytes = 64 * 1024;

/** Pieces of a larger one are said together up to this size. */
const togetherBytes = 512 * 1024;

/** What a request says of its body; undefined when it may have any length. */
export function announcedLength({ headers }: IncomingMessage): number | undefined {
  if (headers["transfer-encoding"] !== undefined) return undefined;
  return Number(headers["content-length"] ?? 0);
}

/** A whole small body, for what announces one; undefined for one that is brought along later. */
export async function smallBody(
  request: IncomingMessage,
  clock: Clock,
  { silenceMs }: BodyLimits,
): Promise<Buffer | undefined | Exclude<BodyEnd, "whole">> {
  const length = announcedLength(request);
  if (length === undefined || length > smallBytes) return undefined;
  if (length === 0) return Buffer.alloc(0);
  const pieces: Buffer[] = [];
  const until = clock.now() + silenceMs; // for the whole of it: a byte now and then is no progress
  for (let bytes = 0; bytes < length;) {
    const piece = await nextPiece(request, clock, Math.max(1, until - clock.now()));
    if (typeof piece === "string") return piece;
    if (piece === undefined) break;
    pieces.push(piece);
    bytes += piece.length;
  }
  return Buffer.concat(pieces);
}

export function sayWhole(exchange: Exchange, body: Uint8Array): void {
  void exchange.say(encodeBody([body], false));
}

/** Ends with the body, or with what is wrong with it; what the container does not take is not read. */
export async function bringBody(
  request: IncomingMessage,
  exchange: Exchange,
  clock: Clock,
  { mostBytes, silenceMs }: BodyLimits,
): Promise<BodyEnd> {
  await exchange.say(encodeBody([], true)); // containers give up a request that says nothing for 5 s
  const next = (): Promise<Piece> => nextPiece(request, clock, silenceMs);
  let coming = next();
  for (let bytes = 0; ;) {
    const pieces: Buffer[] = [];
    let last = await coming;
    let size = 0;
    while (last instanceof Buffer) {
      pieces.push(last);
      size += last.length;
      coming = next();
      // What the container has not asked for yet is said together: each message costs it a millisecond and more.
      if (size >= togetherBytes || exchange.isHeard) break;
      const more = await Promise.race([coming, exchange.heard().then(() => "heard" as const)]);
      if (more === "heard") break;
      last = more;
    }
    bytes += size;
    if (bytes > mostBytes) return "tooLarge";
    if (typeof last === "string") return last;
    await exchange.say(encodeBody(pieces, last !== undefined));
    if (last === undefined) return "whole";
  }
}

/** Of a body; undefined at its end. */
type Piece = Buffer | undefined | "gone" | "tooSlow";

async function nextPiece(request: IncomingMessage, clock: Clock, silenceMs: number): Promise<Piece> {
  for (;;) {
    const piece = request.read() as Buffer | null;
    if (piece !== null) return piece;
    if (request.readableEnded || (request.complete && request.readableLength === 0)) return undefined;
    if (request.destroyed) return "gone";
    if ((await moved(request, clock, silenceMs)) === "silence") return "tooSlow";
  }
}

async function moved(request: IncomingMessage, clock: Clock, silenceMs: number): Promise<"moved" | "silence"> {
  return await new Promise((resolve) => {
    const done = (what: "moved" | "silence"): void => {
      timer[Symbol.dispose]();
      request.off("readable", onMoved).off("end", onMoved).off("close", onMoved).off("error", onMoved);
      resolve(what);
    };
    const onMoved = (): void => done("moved");
    const timer = clock.timer(silenceMs, () => done("silence")).unref();
    request.on("readable", onMoved).on("end", onMoved).on("close", onMoved).on("error", onMoved);
  });
}
