/** How a registry is told who asks: by name and password, or by a token that it says where to get. */
import { type Clock, PlatformError } from "@lydian/kit";
import { z } from "zod";

import { readUpTo, refuseInward, RegistryUnavailableError, transfer } from "./transfer.ts";

/** As the user has them for one registry. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

export interface LoginOptions {
  /** Of the registry. */
  readonly api: URL;
  readonly repository: string;
  readonly credentials: RegistryCredentials | undefined;
  readonly clock: Clock;
}

export class RegistryLogin {
  readonly #options: LoginOptions;
  #authorization: string | undefined;
  #asking: Promise<string> | undefined;

  constructor(options: LoginOptions) {
    this.#options = options;
  }

  /** Somebody wanted to know who asks, and was told. */
  get isTold(): boolean {
    return this.#authorization !== undefined && this.#options.credentials !== undefined;
  }

  /** What the registry was told last; undefined before it has asked. */
  get authorization(): string | undefined {
    return this.#authorization;
  }

  /** Answers a registry that was not content with `told`; of several who are asked at once, one gets the token. */
  async answer(challenge: string, told: string | undefined, signal: AbortSignal): Promise<string> {
    if (this.#authorization !== undefined && this.#authorization !== told) return this.#authorization;
    this.#asking ??= this.#authorize(challenge, told, signal).finally(() => (this.#asking = undefined));
    this.#authorization = await this.#asking;
    return this.#authorization;
  }

  async #authorize(challenge: string, told: string | undefined, signal: AbortSignal): Promise<string> {
    const { api, credentials } = this.#options;
    const bearer = bearerFields(challenge);
    if (bearer !== undefined) return `Bearer ${await this.#token(bearer, signal)}`;
    if (!/^basic\b/i.test(challenge.trim())) {
      const kind = challenge || "it does not say which";
      throw new RegistryUnavailableError(`${api.host} wants a login of a kind that is not known: ${kind}`);
    }
    if (credentials === undefined || told !== undefined) throw refusedLogin(api.host, credentials);
    return basic(credentials);
  }

  async #token(fields: ReadonlyMap<string, string>, signal: AbortSignal): Promise<string> {
    const { api, repository, credentials, clock } = this.#options;
    const realm = fields.get("realm") ?? "";
    if (!URL.canParse(realm)) throw new RegistryUnavailableError(`${api.host} does not say where it gives tokens`);
    const url = new URL(realm);
    refuseInward(api, url);
    const service = fields.get("service");
    if (service !== undefined) url.searchParams.set("service", service);
    url.searchParams.set("scope", fields.get("scope") ?? `repository:${repository}:pull`);
    if (credentials !== undefined) url.searchParams.set("account", credentials.username);
    const authorization = credentials === undefined ? undefined : basic(credentials);
    const headers = { accept: "application/json" };
    const { status, body } = await transfer({ url, headers, authorization, signal, clock });
    const text = (await readUpTo(1024 * 1024, body, "a token")).toString("utf8");
    if (status === 401 || status === 403) throw refusedLogin(url.host, credentials);
    if (status !== 200) throw new RegistryUnavailableError(`${url.host} gives no token: it answers ${status}`);
    return tokenIn(text, url.host);
  }
}

const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });

function tokenIn(text: string, host: string): string {
  try {
    const { token, access_token } = tokenSchema.parse(JSON.parse(text));
    const given = token ?? access_token;
    // It becomes a header, and comes from whoever the registry has named.
    if (given !== undefined && /^[\x21-\x7e]+$/.test(given)) return given;
  } catch (error) {
    throw new RegistryUnavailableError(`${host} gives no token that can be understood`, { cause: error });
  }
  throw new RegistryUnavailableError(`${host} gives no token`);
}

const basic = ({ username, password }: RegistryCredentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** Says who was refused, never the password. */
export function refusedLogin(host: string, credentials: RegistryCredentials | undefined): PlatformError {
  if (credentials === undefined) {
    return new RegistryUnavailableError(`${host} says that there is no such image for who does not log in`, {
      hint: "check the image's name; a private one needs a secret with REGISTRY_USERNAME and REGISTRY_PASSWORD",
    });
  }
  return new RegistryUnavailableError(
    `${host} does not accept the credentials of ${JSON.stringify(credentials.username)}`,
    {
      hint: "check user name and password or token in the image's secret, and whether they may pull this repository",
    },
  );
}

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
