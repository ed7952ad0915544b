/** Writes what an application answers as an HTTP response, with the caller's own pace, or nothing at all of what is no HTTP. */
import { type IncomingMessage, type ServerResponse, validateHeaderName, validateHeaderValue } from "node:http";

import type { Asgi_HttpResponseStart } from "@lydian/contract";

import { headersOf as pairsOf } from "../web/asgi.ts";
import type { Ended, Exchange } from "../web/exchange.ts";
import { contentLength, towardsCaller } from "../web/headers.ts";
import type { BodyLimits } from "./web-body.ts";
import { type Refusal, refusals, refuse } from "./web-refusal.ts";

/** `answered`: to its end. `broken`: what was begun could not be ended well, or it was no answer. */
export type AnswerEnd = "answered" | "broken";

interface Head {
  status: number;
  /** Name, value, name, value, … */
  headers: string[];
  /** What the body must add up to; undefined when it may have any length. */
  length: number | undefined;
  hasBody: boolean;
}

/** Begins when the exchange has something, or has ended. A caller that takes nothing for `silenceMs` is cut off. */
export async function writeAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  exchange: Exchange,
  { silenceMs }: Pick<BodyLimits, "silenceMs">,
): Promise<AnswerEnd> {
  const first = exchange.next();
  if (first === undefined) {
    refuse(request, response, endedWith(exchange.ended));
    return "answered";
  }
  const head = first.case === "httpResponseStart" ? headOf(first.value, request.method) : undefined;
  if (head === undefined) {
    refuse(request, response, refusals.invalid);
    return "broken";
  }
  response.writeHead(head.status, head.headers);
  if (!exchange.hasNext) response.flushHeaders(); // events may be long in coming
  const isWhole = await writeBody(response, exchange, head, silenceMs);
  if (!isWhole) response.destroy(); // the only way to tell that something is missing
  return isWhole ? "answered" : "broken";
}

async function writeBody(
  response: ServerResponse,
  exchange: Exchange,
  { length, hasBody }: Head,
  silenceMs: number,
): Promise<boolean> {
  for (let bytes = 0; ;) {
    await exchange.ready();
    const message = exchange.next();
    if (message === undefined) return false;
    if (message.case !== "httpResponseBody") continue; // trailers are dropped
    const { body, moreBody } = message.value;
    bytes += body.length;
    if (hasBody && length !== undefined && bytes > length) return false;
    if (!moreBody) {
      if (hasBody && length !== undefined && bytes < length) return false;
      isToBeTaken(response, "finish", silenceMs);
      response.end(hasBody && body.length > 0 ? body : undefined);
      return true;
    }
    if (hasBody && body.length > 0 && !response.write(body)) {
      isToBeTaken(response, "drain", silenceMs);
      await drained(response);
    }
  }
}

/** Undefined for what cannot be said in HTTP, or would let its reader take something for the next response. */
function headOf({ status, headers: flat }: Asgi_HttpResponseStart, method = "GET"): Head | undefined {
  if (status < 200 || status > 599) return undefined;
  const headers = towardsCaller(pairsOf(flat));
  const length = contentLength(headers);
  if (length === "wrong") return undefined;
  try {
    for (const [name, value] of headers) {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    }
  } catch {
    return undefined; // whatever is wrong with it is the application's affair
  }
  const hasBody = method !== "HEAD" && status !== 204 && status !== 304;
  return { status, headers: headers.flat(), length, hasBody };
}

function endedWith(ended: Ended | undefined): Refusal {
  switch (ended) {
    case "finished":
      return refusals.silent;
    case "failed":
      return refusals.failed;
    case "timeout":
      return refusals.timeout;
    case "unreachable":
      return refusals.unreachable;
    case "stopped":
      return refusals.stopped;
    case "lost":
    case undefined:
      return refusals.lost;
  }
}

/**
 * Until this event the connection is closed when nothing moves on it. Node sees also what is taken in the middle of a piece; its own
 * time for the next request begins behind this.
 */
function isToBeTaken(response: ServerResponse, until: "drain" | "finish", silenceMs: number): void {
  const { socket } = response; // none while an answer before this one is under way
  socket?.setTimeout(silenceMs);
  response.prependOnceListener(until, () => socket?.setTimeout(0));
}

async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
    if (response.destroyed) done();
  });
}
