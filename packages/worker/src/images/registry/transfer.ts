/** One request to a registry over HTTP, with an end to every wait, and redirects followed only where that is safe. */
import { type Clock, messageOf, PlatformError } from "@lydian/kit";

import { isOwnNetwork } from "../registry-settings.ts";

/** How long a registry may take for its answer, and then for each so many bytes of it. */
const silenceMs = 30_000;
const bytesPerSilence = 64 * 1024;

const redirects = new Set([301, 302, 303, 307, 308]);
const mostRedirects = 5;

/** This place does not give what is asked for now; another one may. */
export class RegistryUnavailableError extends PlatformError {}

/** The connection broke, or was silent for too long: the same may work the next moment. */
export class BrokenConnectionError extends RegistryUnavailableError {}

export interface TransferRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Goes along to the first place alone, not to where that one sends us. */
  readonly authorization: string | undefined;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

export interface Transfer {
  readonly status: number;
  readonly headers: Headers;
  /** Is read to its end, or left by `return`. */
  readonly body: AsyncGenerator<Uint8Array>;
}

export async function transfer(request: TransferRequest): Promise<Transfer> {
  const { signal, clock } = request;
  let { url, authorization } = request;
  for (let hops = 0; ; hops++) {
    const silence = new Silence(url, clock);
    const given = { ...request.headers, ...(authorization !== undefined && { authorization }) };
    let response: Response;
    try {
      const either = AbortSignal.any([signal, silence.signal]);
      response = await fetch(url, { headers: given, redirect: "manual", signal: either });
    } catch (error) {
      throw failure(url, error, signal);
    } finally {
      silence.pause();
    }
    if (!redirects.has(response.status)) {
      return { status: response.status, headers: response.headers, body: read(response, url, silence, signal) };
    }
    await response.body?.cancel();
    if (hops === mostRedirects) throw new RegistryUnavailableError(`${url.host} sends us from place to place`);
    const next = nextPlace(url, response.headers.get("location"));
    if (next.origin !== url.origin) authorization = undefined;
    url = next;
  }
}

/** All of a short body. */
export async function readUpTo(limit: number, body: AsyncIterable<Uint8Array>, what: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > limit) throw new PlatformError(`${what} is larger than ${limit} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** A registry may send us to others, but not to where only this host and its network can reach. */
export function refuseInward(from: URL, to: URL): void {
  const isDowngrade = from.protocol === "https:" && to.protocol !== "https:";
  if (/^https?:$/.test(to.protocol) && !isDowngrade && (isOwnNetwork(from.host) || !isOwnNetwork(to.host))) return;
  throw new RegistryUnavailableError(`${from.host} sends us to an unsafe place: ${to.origin}`);
}

function nextPlace(from: URL, location: string | null): URL {
  if (location === null || !URL.canParse(location, from)) {
    throw new RegistryUnavailableError(`${from.host} sends us to no place: ${String(location)}`);
  }
  const to = new URL(location, from);
  refuseInward(from, to);
  return to;
}

async function* read(response: Response, url: URL, silence: Silence, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    silence.renew();
    for await (const piece of response.body ?? []) {
      silence.pause(); // who reads may take its time
      yield piece;
      silence.heard(piece.length);
    }
  } catch (error) {
    throw failure(url, error, signal);
  } finally {
    silence.pause();
  }
}

/** Gives up on a place that says too little while we wait for it. */
class Silence {
  readonly #url: URL;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  #timer: Disposable | undefined;
  #leftMs = silenceMs;
  #sinceMs: number | undefined;
  #bytes = 0;

  constructor(url: URL, clock: Clock) {
    this.#url = url;
    this.#clock = clock;
    this.renew();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  renew(): void {
    this.#leftMs = silenceMs;
    this.#bytes = 0;
    this.#listen();
  }

  heard(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= bytesPerSilence) this.renew();
    else this.#listen();
  }

  pause(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (this.#sinceMs !== undefined) this.#leftMs -= this.#clock.now() - this.#sinceMs;
    this.#sinceMs = undefined;
  }

  #listen(): void {
    this.pause();
    this.#sinceMs = this.#clock.now();
    this.#timer = this.#clock.timer(Math.max(0, this.#leftMs), () => {
      const text = `${this.#url.host} has sent next to nothing for ${silenceMs / 1000} s`;
      this.#abort.abort(new BrokenConnectionError(text));
    });
  }
}

/** fetch hides the reason in a cause. */
function failure(url: URL, error: unknown, signal: AbortSignal): Error {
  if (signal.aborted) return signal.reason as Error;
  if (error instanceof PlatformError) return error;
  const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
  return new BrokenConnectionError(`${url.host} cannot be read: ${cause}`, { cause: error });
}
