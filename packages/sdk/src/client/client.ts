/** Asks a platform: who asks, requests that are sent again until they are answered, and the one client that is used unless another is given. */
import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";

import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";

import { sdkHeader } from "@lydian/contract";

import { InvalidError } from "../errors.ts";
import { version } from "../version.ts";
import { Channel } from "./channel.ts";
import { type Profile, readProfile } from "./profile.ts";
import { isTransient, refusalOf, retryAfterMs, warningsIn } from "./refusal.ts";
import { code, StatusError } from "./status.ts";

/** How one request is made. */
export interface AskOptions {
  /** How long one try may take, in milliseconds. */
  readonly timeoutMs?: number;
  /** For how long it is tried again while the platform cannot be reached, in milliseconds. */
  readonly patienceMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** By which the platform knows repetitions; without it one of this request alone. */
  readonly key?: string;
  /** Beside who asks. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** One try, unless somebody says otherwise. */
const usualTimeoutMs = 30_000;
/** A platform that is restarted is back long before. */
const usualPatienceMs = 30_000;
const firstDelayMs = 100;
const longestDelayMs = 2_000;

/** Where a platform is, and who asks. What is left out is taken from the environment and the profile file. */
export interface ClientOptions {
  /** http://HOST:PORT, https://HOST:PORT or unix:/PATH; MODAL_SERVER_URL unless it is given. */
  serverUrl?: string;
  /** MODAL_TOKEN_ID unless it is given. */
  tokenId?: string;
  /** MODAL_TOKEN_SECRET unless it is given. */
  tokenSecret?: string;
  /** Whose names are looked up. */
  environment?: string;
}

/** A connection to a platform, with the token of whoever asks. */
export class Client implements Disposable {
  readonly #profile: Profile;
  readonly #channels: readonly Channel[];
  /** Which of its addresses answered last. */
  #at = 0;
  readonly #warned = new Set<string>();
  /** Is given what the platform wants people to know; each text once. */
  onWarning: (text: string) => void = (text) => console.warn(`Warning: ${text}`);

  constructor(options: ClientOptions = {}) {
    const { serverUrl, tokenId, tokenSecret, environment } = options;
    const profile =
      serverUrl !== undefined && tokenId !== undefined && tokenSecret !== undefined
        ? { serverUrl, token: { id: tokenId, secret: tokenSecret }, environment: "" }
        : readProfile();
    this.#profile = { ...profile, environment: environment ?? profile.environment };
    const addresses = profile.serverUrl.split(",").map((address) => address.trim());
    const wrong = addresses.find(
      (address) => !/^(https?:\/\/[^/]+\/?|unix:\/.+)$/.test(address) || !URL.canParse(address),
    );
    if (wrong !== undefined) {
      throw new InvalidError(`${JSON.stringify(wrong)} is no address of a platform`, {
        hint: "it looks like http://HOST:PORT, https://HOST:PORT or unix:/PATH",
      });
    }
    const { token } = profile;
    const headers = {
      "x-modal-client-version": version,
      "x-modal-client-type": token === undefined ? "3" : "1",
      [sdkHeader]: version,
      ...(token && { "x-modal-token-id": token.id, "x-modal-token-secret": token.secret }),
    };
    this.#channels = addresses.map((address) => new Channel(address, headers));
  }

  static #usual: Client | undefined;

  /** The one that everything uses to which no other is given. */
  static usual(): Client {
    return (Client.#usual ??= new Client());
  }

  /** @internal For tests; answers what puts the one before back. */
  static replaceUsual(client: Client): () => void {
    const before = Client.#usual;
    Client.#usual = client;
    return () => (Client.#usual = before);
  }

  /** @internal The most bytes of a value within a message: of what somebody waits for, and of what is kept for whoever asks later. */
  get mostWithin(): { readonly sync: number; readonly async: number } {
    return { sync: 2 * 1024 * 1024, async: 8 * 1024 };
  }

  /** Whose names are looked up unless another environment is named. */
  get environment(): string {
    return this.#profile.environment;
  }

  /** The address that it asks. */
  get serverUrl(): string {
    return this.#profile.serverUrl;
  }

  /** Sends a request until it is answered. Its repetitions have one key, by which the platform does it once. */
  async ask<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    {
      timeoutMs = usualTimeoutMs,
      patienceMs = usualPatienceMs,
      signal,
      key = randomUUID(),
      headers: more = {},
    }: AskOptions = {},
  ): Promise<MessageShape<O>> {
    const bytes = toBinary(method.input, create(method.input, request));
    const until = Date.now() + patienceMs;
    for (let tries = 0; ; tries++) {
      try {
        const headers = { ...more, "x-idempotency-key": key, ...(tries > 0 && { "x-retry-attempt": String(tries) }) };
        const { message, trailers } = await this.#channel.unary(pathOf(method), bytes, { headers, timeoutMs, signal });
        this.#warn(trailers);
        return fromBinary(method.output, message);
      } catch (error) {
        if (!(error instanceof StatusError)) throw error;
        const delayMs = this.#delayOf(error, tries, until);
        if (delayMs === undefined) throw this.#refused(error);
        await sleep(delayMs, undefined, { ...(signal && { signal }) });
      }
    }
  }

  /** The answers of a stream, which is not opened again: who follows something knows where it was. */
  async *follow<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    { timeoutMs = usualTimeoutMs, signal, headers = {} }: Omit<AskOptions, "patienceMs" | "key"> = {},
  ): AsyncGenerator<MessageShape<O>, void> {
    const bytes = toBinary(method.input, create(method.input, request));
    const options = { headers, timeoutMs, signal };
    try {
      for await (const message of this.#channel.stream(pathOf(method), bytes, options))
        yield fromBinary(method.output, message);
    } catch (error) {
      throw error instanceof StatusError ? this.#refused(error) : error;
    }
  }

  /** Closes its connections. What is under way fails. */
  [Symbol.dispose](): void {
    for (const channel of this.#channels) channel.close();
  }

  get #channel(): Channel {
    const channel = this.#channels[this.#at % this.#channels.length];
    if (channel === undefined) throw new Error("a client has no address");
    return channel;
  }

  /** Undefined where another try is of no use. */
  #delayOf(error: StatusError, tries: number, until: number): number | undefined {
    const asked = retryAfterMs(error);
    if (asked !== undefined) return asked;
    if (!isTransient(error)) return undefined;
    if (error.code === code.unavailable) this.#at++;
    const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** tries);
    return Date.now() + delayMs < until ? delayMs : undefined;
  }

  #refused(error: StatusError): Error {
    this.#warn(error.trailers);
    return refusalOf(error, this.serverUrl);
  }

  #warn(trailers: IncomingHttpHeaders): void {
    for (const text of warningsIn(trailers)) {
      if (this.#warned.has(text)) continue;
      this.#warned.add(text);
      this.onWarning(text);
    }
  }
}

function pathOf(method: { parent: { typeName: string }; name: string }): string {
  return `/${method.parent.typeName}/${method.name}`;
}
