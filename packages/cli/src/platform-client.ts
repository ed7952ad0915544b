/** Asks a running platform, with the token of one of the clients' profiles. */
import {
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  create,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { sdkHeader } from "@lydian/contract";
import { PlatformError } from "@lydian/kit";

import { activeName, readClientConfig } from "./client-config.ts";
import { type Profile, profileIn, readProfile } from "./identity.ts";
import { clientConfigFile, layoutOf } from "./paths.ts";

/** A platform that does not answer sooner is taken for one that is not there, in milliseconds. */
const patienceMs = 30_000;

export class PlatformClient implements Disposable {
  readonly #client: Client;
  readonly #profile: Profile;

  constructor(profile: Profile) {
    const url = new URL(profile.serverUrl);
    const isPlain = url.protocol === "http:";
    const port = url.port === "" ? (isPlain ? "80" : "443") : url.port;
    this.#profile = profile;
    this.#client = new Client(
      `${url.hostname}:${port}`,
      isPlain ? credentials.createInsecure() : credentials.createSsl(),
    );
  }

  /** The address that it asks. */
  get serverUrl(): string {
    return this.#profile.serverUrl;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  /** One request; what the platform refuses comes as a PlatformError with its own words. */
  ask<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    withinMs = patienceMs,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/${method.parent.typeName}/${method.name}`,
        (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
        (bytes) => fromBinary(method.output, bytes),
        create(method.input, request),
        this.#metadata(),
        { deadline: Date.now() + withinMs },
        (error, reply) => (error === null && reply !== undefined ? resolve(reply) : reject(this.#readable(error))),
      );
    });
  }

  /** One request with any number of replies; who stops reading ends it. It may take as long as it takes. */
  async *follow<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
  ): AsyncGenerator<MessageShape<O>> {
    const stream = this.#client.makeServerStreamRequest(
      `/${method.parent.typeName}/${method.name}`,
      (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
      (bytes) => fromBinary(method.output, bytes),
      create(method.input, request),
      this.#metadata(),
    );
    try {
      for await (const reply of stream) yield reply as MessageShape<O>;
    } catch (error) {
      throw this.#readable(error as ServiceError);
    } finally {
      stream.cancel();
    }
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    metadata.set("x-modal-token-id", this.#profile.tokenId);
    metadata.set("x-modal-token-secret", this.#profile.tokenSecret);
    metadata.set(sdkHeader, "cli");
    return metadata;
  }

  #readable(error: ServiceError | null): Error {
    if (error === null) return new Error("the platform sent neither a reply nor an error");
    if (error.code !== status.UNAVAILABLE && error.code !== status.DEADLINE_EXCEEDED) {
      return new PlatformError(error.details.replace(/\.$/, ""), { cause: error });
    }
    return new PlatformError(`the platform at ${this.#profile.serverUrl} does not answer`, {
      hint: "start it with `lydian up`, or name another one's folder with --data",
      cause: error,
    });
  }
}

/** To the platform that a command's options name. */
export async function connect({ data }: { data?: string }, env: NodeJS.ProcessEnv): Promise<PlatformClient> {
  return new PlatformClient(await findProfile(data, env));
}

/**
 * The one in the file that MODAL_CONFIG_PATH names, unless a data folder is named; else the data folder's own; where there is none in the
 * usual place, the one that `lydian setup` has written for the clients.
 */
export async function findProfile(data: string | undefined, env: NodeJS.ProcessEnv): Promise<Profile> {
  const layout = layoutOf(data, env);
  const file = data === undefined && env["MODAL_CONFIG_PATH"] ? env["MODAL_CONFIG_PATH"] : layout.profile;
  const profile = await readProfile(file);
  if (profile !== undefined) return profile;
  const config = data === undefined ? await readClientConfig(clientConfigFile(env)) : undefined;
  const usual = config && profileIn(config.tables[activeName(config) ?? ""]);
  if (usual !== undefined) return usual;
  throw new PlatformError(`there is no platform: ${file} does not exist`, {
    hint: "start one with `lydian up`, or name its folder with --data",
  });
}
