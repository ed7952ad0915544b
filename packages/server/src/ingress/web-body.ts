/** Brings a request's body to its exchange, piece by piece as the container takes it. */
import type { IncomingMessage } from "node:http";

import type { Clock } from "@lydian/kit";

import { encodeMessage } from "../web/asgi.ts";
import type { Exchange } from "../web/exchange.ts";

export interface BodyLimits {
  /** The whole body, in bytes. */
  mostBytes: number;
  /** How long the caller may be silent in the middle, in milliseconds. */
  silenceMs: number;
}

/** `whole`: all is said. `gone`: the caller is. */
export type BodyEnd = "whole" | "tooLarge" | "tooSlow" | "gone";

/** Bodies up to this size are taken in before a container is asked, so that slow callers hold none. */
const smallBytes = 64 * 1024;

const nothing = new Uint8Array();

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
  for (let bytes = 0; bytes < length;) {
    const piece = await nextPiece(request, clock, silenceMs);
    if (typeof piece === "string") return piece;
    if (piece === undefined) break;
    pieces.push(piece);
    bytes += piece.length;
  }
  return Buffer.concat(pieces);
}

export function sayWhole(exchange: Exchange, body: Uint8Array): void {
  void exchange.say(encodeMessage({ case: "httpRequest", value: { body, moreBody: false } }));
}

/** Ends with the body, or with what is wrong with it; what the container does not take is not read. */
export async function bringBody(
  request: IncomingMessage,
  exchange: Exchange,
  clock: Clock,
  { mostBytes, silenceMs }: BodyLimits,
): Promise<BodyEnd> {
  const say = (body: Uint8Array, moreBody: boolean): Promise<void> =>
    exchange.say(encodeMessage({ case: "httpRequest", value: { body, moreBody } }));
  await say(nothing, true); // containers give up a request that says nothing for 5 s
  for (let bytes = 0; ;) {
    const piece = await nextPiece(request, clock, silenceMs);
    if (typeof piece === "string") return piece;
    if (piece === undefined) break;
    bytes += piece.length;
    if (bytes > mostBytes) return "tooLarge";
    await say(piece, true);
  }
  await say(nothing, false);
  return "whole";
}

/** What has come of the body; undefined at its end. */
async function nextPiece(
  request: IncomingMessage,
  clock: Clock,
  silenceMs: number,
): Promise<Buffer | undefined | "gone" | "tooSlow"> {
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
