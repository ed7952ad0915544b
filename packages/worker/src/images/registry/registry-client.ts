/** Reads from one repository of an OCI registry: distribution protocol v2 over HTTP, anonymous. */
import { createHash } from "node:crypto";

import { type Clock, messageOf, PlatformError } from "@lydian/kit";
import { z } from "zod";

import { type Descriptor, indexTypes, manifestTypes } from "./manifests.ts";

/** How long a registry may be silent, before its answer and within it. */
const silenceMs = 30_000;

/** No manifest of any image is larger; the specification asks registries for four. */
const largestManifest = 4 * 1024 * 1024;

export interface Manifest {
  readonly mediaType: string;
  /** Of the bytes that were received. */
  readonly digest: string;
  readonly content: unknown;
}

/** As the user has them for one registry. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

/** An answer, with what gives it up when it falls silent. */
interface Answer {
  readonly response: Response;
  readonly body: AsyncGenerator<Uint8Array>;
}

/** Whether a registry answers at all within the time; why it does not is nobody's concern. */
export async function registryAnswers(url: string, withinMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(withinMs)]);
    const response = await fetch(apiOf(url), { signal: patience });
    await response.body?.cancel();
    return response.ok || response.status === 401;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

export class RegistryClient {
  /** Ends in a slash. */
  readonly #api: URL;
  readonly #repository: string;
  readonly #clock: Clock;
  #token: string | undefined;

  constructor(options: {
    place: string;
    repository: string;
    credentials: RegistryCredentials | undefined;
    clock: Clock;
  }) {
    this.#api = apiOf(options.place);
    this.#repository = options.repository;
    this.#clock = options.clock;
  }

  /** By tag, or by digest, which is then verified. */
  async manifest(name: string, signal: AbortSignal): Promise<Manifest> {
    const accept = [...indexTypes, ...manifestTypes].join(", ");
    const { response, body } = await this.#get(`manifests/${name}`, accept, signal);
    const bytes = await readUpTo(largestManifest, body, `the manifest ${name}`);
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    if (name.includes(":") && digest !== name) throw wrongContent(`the manifest ${name}`, digest);
    const mediaType = (response.headers.get("content-type") ?? "").split(";", 1)[0]?.trim() ?? "";
    try {
      return { mediaType, digest, content: JSON.parse(bytes.toString("utf8")) };
    } catch (error) {
      throw new PlatformError(`the manifest ${name} is no JSON`, { cause: error });
    }
  }

  /** A small blob: the image's configuration. */
  async json(descriptor: Descriptor, signal: AbortSignal): Promise<unknown> {
    const what = `the configuration ${descriptor.digest}`;
    const bytes = await readUpTo(largestManifest, this.blob(descriptor, signal), what);
    try {
      return JSON.parse(bytes.toString("utf8"));
    } catch (error) {
      throw new PlatformError(`${what} is no JSON`, { cause: error });
    }
  }

  /** The bytes of a layer; the last piece comes only after all of them have proved to be the right ones. */
  async *blob(descriptor: Descriptor, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const what = `layer ${descriptor.digest}`;
    const { body } = await this.#get(`blobs/${descriptor.digest}`, "*/*", signal);
    const hash = createHash("sha256");
    let size = 0;
    let held: Uint8Array | undefined;
    for await (const piece of body) {
      size += piece.length;
      if (size > descriptor.size) throw wrongContent(what, `more than ${descriptor.size} bytes`);
      hash.update(piece);
      if (held !== undefined) yield held;
      held = piece;
    }
    const digest = `sha256:${hash.digest("hex")}`;
    if (size !== descriptor.size) throw wrongContent(what, `${size} bytes instead of ${descriptor.size}`);
    if (digest !== descriptor.digest) throw wrongContent(what, digest);
    if (held !== undefined) yield held;
  }

  async #get(path: string, accept: string, signal: AbortSignal): Promise<Answer> {
    const url = new URL(`${this.#repository}/${path}`, this.#api);
    let answer = await this.#fetch(url, accept, signal);
    if (answer.response.status === 401) {
      await answer.response.body?.cancel();
      this.#token = await this.#authorize(answer.response.headers.get("www-authenticate") ?? "", signal);
      answer = await this.#fetch(url, accept, signal);
    }
    const { response } = answer;
    if (response.ok) return answer;
    const text = (await readUpTo(64 * 1024, answer.body, "an error of the registry")).toString("utf8");
    const limited = response.status === 429 ? " (too many requests from here)" : "";
    throw new PlatformError(`${url.href} answers ${response.status}${limited}${firstError(text)}`);
  }

  /** Redirects are followed; to another origin the token does not go along. */
  async #fetch(url: URL, accept: string, signal: AbortSignal): Promise<Answer> {
    const silence = new AbortController();
    const expire = (): void => {
      silence.abort(new PlatformError(`${url.host} has been silent for ${silenceMs / 1000} s`));
    };
    let timer = this.#clock.timer(silenceMs, expire);
    try {
      const headers = { accept, ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }) };
      const response = await fetch(url, { headers, signal: AbortSignal.any([signal, silence.signal]) });
      const body = async function* (clock: Clock): AsyncGenerator<Uint8Array> {
        try {
          for await (const piece of response.body ?? []) {
            timer[Symbol.dispose](); // who reads may take its time
            yield piece;
            timer = clock.timer(silenceMs, expire);
          }
        } catch (error) {
          throw failure(url, error, signal);
        } finally {
          timer[Symbol.dispose]();
        }
      };
      return { response, body: body(this.#clock) };
    } catch (error) {
      timer[Symbol.dispose]();
      throw failure(url, error, signal);
    }
  }

  /** An anonymous token, from where the registry says that it is to be had. */
  async #authorize(challenge: string, signal: AbortSignal): Promise<string> {
    const fields = bearerFields(challenge);
    const realm = fields?.get("realm");
    if (fields === undefined || realm === undefined || !URL.canParse(realm)) {
      throw new PlatformError(
        `${this.#api.host} wants a login of a kind that is not known: ${challenge || "it does not say which"}`,
      );
    }
    const url = new URL(realm);
    if (url.protocol !== "https:" && url.protocol !== this.#api.protocol) {
      throw new PlatformError(`${this.#api.host} sends us to an unsafe place for a token: ${realm}`);
    }
    const service = fields.get("service");
    if (service !== undefined) url.searchParams.set("service", service);
    url.searchParams.set("scope", fields.get("scope") ?? `repository:${this.#repository}:pull`);
    this.#token = undefined;
    const { response, body } = await this.#fetch(url, "application/json", signal);
    const text = (await readUpTo(1024 * 1024, body, "a token")).toString("utf8");
    if (!response.ok) throw new PlatformError(`${url.host} gives no token: it answers ${response.status}`);
    const { token, access_token } = tokenSchema.parse(JSON.parse(text));
    const given = token ?? access_token;
    if (given === undefined) throw new PlatformError(`${url.host} gives no token`);
    return given;
  }
}

/** A place's path is a prefix of all repositories in it, as proxies of several registries have it. */
function apiOf(place: string): URL {
  const { origin, pathname } = new URL(place);
  const prefix = pathname.replace(/^\/+|\/+$/g, "");
  return new URL(`/v2/${prefix === "" ? "" : `${prefix}/`}`, origin);
}

const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/** The fields of `Bearer realm="…",service="…"`; undefined for other kinds of login. */
export function bearerFields(challenge: string): Map<string, string> | undefined {
  const match = /^bearer\s+(?<fields>.*)$/i.exec(challenge.trim());
  if (match?.groups === undefined) return undefined;
  const pairs = (match.groups["fields"] ?? "").matchAll(
    /(?<name>[a-z_]+)\s*=\s*(?:"(?<quoted>[^"]*)"|(?<bare>[^\s,]+))/gi,
  );
  return new Map(
    [...pairs].map(({ groups }) => [
      groups?.["name"]?.toLowerCase() ?? "",
      groups?.["quoted"] ?? groups?.["bare"] ?? "",
    ]),
  );
}

async function readUpTo(limit: number, body: AsyncIterable<Uint8Array>, what: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > limit) throw new PlatformError(`${what} is larger than ${limit} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function wrongContent(what: string, found: string): PlatformError {
  return new PlatformError(`the registry sent something else than ${what}: ${found}`);
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

/** fetch hides the reason in a cause. */
function failure(url: URL, error: unknown, signal: AbortSignal): Error {
  if (signal.aborted) return signal.reason as Error;
  if (error instanceof PlatformError) return error;
  const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
  return new PlatformError(`${url.host} cannot be read: ${cause}`, { cause: error });
}
