/** Reads from one repository of an OCI registry: distribution protocol v2 over HTTP. What it gives has its digest verified. */
import { createHash } from "node:crypto";

import { type Clock, PlatformError, sleep } from "@lydian/kit";
import { z } from "zod";

import { verified, wrongContent } from "./content.ts";
import { type Descriptor, indexTypes, manifestTypes } from "./manifests.ts";
import { refusedLogin, type RegistryCredentials, RegistryLogin } from "./registry-login.ts";
import { BrokenConnectionError, readUpTo, RegistryUnavailableError, type Transfer, transfer } from "./transfer.ts";

/** No manifest or configuration of any image is larger; the specification asks registries for four. */
const largestManifest = 4 * 1024 * 1024;

/** How often what failed for the moment is tried again, and after which times; it begins anew when something came. */
const pausesMs = [500, 2000, 5000];

/** The registry is too busy, or what stands before it does not reach it. */
const passing = new Set([429, 500, 502, 503, 504]);

export interface Manifest {
  readonly mediaType: string;
  /** Of the bytes that were received. */
  readonly digest: string;
  readonly content: unknown;
}

export interface ClientOptions {
  /** Of the registry or a mirror, such as "https://registry.example". */
  readonly place: string;
  readonly repository: string;
  readonly credentials: RegistryCredentials | undefined;
  readonly clock: Clock;
}

/** Whether a registry answers at all within the time; why it does not is nobody's concern. */
export async function registryAnswers(place: string, withinMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(withinMs)]);
    const response = await fetch(apiOf(place), { signal: patience, redirect: "manual" });
    await response.body?.cancel();
    return response.status < 500;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

export class RegistryClient {
  /** Ends in a slash. */
  readonly #api: URL;
  readonly #repository: string;
  readonly #credentials: RegistryCredentials | undefined;
  readonly #clock: Clock;
  readonly #login: RegistryLogin;

  constructor(options: ClientOptions) {
    this.#api = apiOf(options.place);
    this.#repository = options.repository;
    this.#credentials = options.credentials;
    this.#clock = options.clock;
    this.#login = new RegistryLogin({ ...options, api: this.#api });
  }

  /** It was told the credentials so far, so without them it may not show what it has shown. */
  get isLoggedIn(): boolean {
    return this.#login.isTold;
  }

  /** By tag, or by digest, which is then verified. */
  async manifest(name: string, signal: AbortSignal): Promise<Manifest> {
    const accept = [...indexTypes, ...manifestTypes].join(", ");
    const { bytes, headers } = await this.#retrying(signal, async () => {
      const answer = await this.#get(`manifests/${name}`, { accept }, signal);
      return { bytes: await readUpTo(largestManifest, answer.body, `the manifest ${name}`), headers: answer.headers };
    });
    const digest = digestOf(bytes);
    if (name.includes(":") && digest !== name) throw wrongContent(`the manifest ${name}`, digest);
    const content = jsonIn(bytes, `the manifest ${name}`);
    const said = z.object({ mediaType: z.string() }).safeParse(content);
    const typed = (headers.get("content-type") ?? "").split(";", 1)[0]?.trim() ?? "";
    return { mediaType: said.success ? said.data.mediaType : typed, digest, content };
  }

  /** A small blob: the image's configuration. */
  async json(descriptor: Descriptor, signal: AbortSignal): Promise<unknown> {
    const what = `the configuration ${descriptor.digest}`;
    return jsonIn(await readUpTo(largestManifest, this.blob(descriptor, signal), what), what);
  }

  /**
   * The bytes of a blob; the end comes only after all of them have proved to be the right ones. Where the connection
   * breaks it goes on from there, so long as something new comes each time.
   */
  blob(descriptor: Descriptor, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    return verified(descriptor, this.#resumed(descriptor, signal), `blob ${descriptor.digest}`);
  }

  async *#resumed(descriptor: Descriptor, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let size = 0;
    for (let failures = 0; ;) {
      const before = size;
      try {
        for await (const piece of this.#blobFrom(size, descriptor.digest, signal)) {
          size += piece.length;
          yield piece;
        }
        return;
      } catch (error) {
        if (size > before) failures = 0;
        await this.#pauseAfter(error, failures++, signal);
      }
    }
  }

  /** What follows the first `from` bytes. */
  async *#blobFrom(from: number, digest: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const range: Record<string, string> = from === 0 ? {} : { range: `bytes=${from}-` };
    const { status, headers, body } = await this.#get(`blobs/${digest}`, range, signal);
    const begins = status === 206 ? Number(/^bytes (\d+)-/.exec(headers.get("content-range") ?? "")?.[1]) : 0;
    if (from > 0 && status === 206 && begins !== from) {
      await body.return(undefined);
      throw wrongContent(`bytes from ${from} of blob ${digest}`, `those from ${begins}`);
    }
    let passed = begins;
    for await (const piece of body) {
      const known = Math.max(0, Math.min(piece.length, from - passed)); // of a registry that begins from the start
      passed += piece.length;
      if (known < piece.length) yield known === 0 ? piece : piece.subarray(known);
    }
  }

  async #retrying<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures++) {
      try {
        return await work();
      } catch (error) {
        await this.#pauseAfter(error, failures, signal);
      }
    }
  }

  /** Throws it again when it is nothing that passes, or has not passed in time. */
  async #pauseAfter(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
    const pause = pausesMs[failures];
    if (!(error instanceof BrokenConnectionError) || pause === undefined) throw error;
    await sleep(this.#clock, pause, signal);
  }

  async #get(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Transfer> {
    const url = new URL(`${this.#repository}/${path}`, this.#api);
    const clock = this.#clock;
    const told = this.#login.authorization;
    let answer = await transfer({ url, headers, authorization: told, signal, clock });
    if (answer.status === 401) {
      await answer.body.return(undefined);
      const challenge = answer.headers.get("www-authenticate") ?? "";
      const authorization = await this.#login.answer(challenge, told, signal);
      answer = await transfer({ url, headers, authorization, signal, clock });
    }
    if (answer.status === 200 || answer.status === 206) return answer;
    throw await this.#refusal(url, answer);
  }

  async #refusal(url: URL, { status, body }: Transfer): Promise<PlatformError> {
    const text = (await readUpTo(64 * 1024, body, "an error of the registry")).toString("utf8");
    if (status === 401 || status === 403) return refusedLogin(this.#api.host, this.#credentials);
    const limited = status === 429 ? " (too many requests from here)" : "";
    const message = `${url.href} answers ${status}${limited}${firstError(text)}`;
    return passing.has(status) ? new BrokenConnectionError(message) : new RegistryUnavailableError(message);
  }
}

/** A place's path is a prefix of all repositories in it, as proxies of several registries have it. */
function apiOf(place: string): URL {
  const { origin, pathname } = new URL(place);
  const prefix = pathname.replace(/^\/+|\/+$/g, "");
  return new URL(`/v2/${prefix === "" ? "" : `${prefix}/`}`, origin);
}

const digestOf = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

function jsonIn(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new PlatformError(`${what} is no JSON`, { cause: error });
  }
}

/** The first error of a registry's list of errors. */
function firstError(text: string): string {
  try {
    const { errors } = z
      .object({ errors: z.array(z.object({ code: z.string(), message: z.string().optional() })) })
      .parse(JSON.parse(text));
    return errors[0] === undefined ? "" : `: ${errors[0].message ?? errors[0].code}`;
  } catch {
    return ""; // a proxy's page, for one
  }
}
