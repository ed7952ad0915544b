/** Dicts and queues: found by name, with a client. */
import { ObjectCreationType } from "@lydian/contract";

import { Client } from "../client/client.ts";
import { Found, type NameOptions, type Place } from "./place.ts";

/** How something is found by its name, or made. */
export interface NamedOptions extends NameOptions {
  /** Makes an empty one where there is none of the name; otherwise that is a NotFoundError. */
  createIfMissing?: boolean;
}

const heartbeatMs = 100_000;

export interface Request {
  deploymentName: string;
  environmentName: string;
  objectCreationType: ObjectCreationType;
}

export class Named {
  readonly #found: Found;
  readonly #options: NamedOptions;

  constructor(name: string, options: NamedOptions, getOrCreate: (client: Client, request: Request) => Promise<string>) {
    const objectCreationType =
      options.createIfMissing === true ? ObjectCreationType.CREATE_IF_MISSING : ObjectCreationType.UNSPECIFIED;
    this.#options = options;
    this.#found = new Found(({ client, environment }: Place) =>
      getOrCreate(client, {
        deploymentName: name,
        environmentName: options.environment ?? environment,
        objectCreationType,
      }),
    );
  }

  /** One without a name, that lives until what this answers is disposed of, or this process ends. */
  static async ephemeral(
    { client = Client.usual(), environment = client.environment }: NameOptions,
    getOrCreate: (client: Client, request: Request) => Promise<string>,
    beat: (client: Client, id: string) => Promise<unknown>,
  ): Promise<{ named: Named; end: () => void }> {
    const objectCreationType = ObjectCreationType.EPHEMERAL;
    const id = await getOrCreate(client, { deploymentName: "", environmentName: environment, objectCreationType });
    const heart = setInterval(() => void beat(client, id).catch(() => {}), heartbeatMs); // a lost one is made up for by the next
    heart.unref();
    return { named: new Named("", { client }, () => Promise.resolve(id)), end: () => clearInterval(heart) };
  }

  async here(): Promise<{ client: Client; id: string }> {
    const client = this.#options.client ?? Client.usual();
    return { client, id: await this.#found.id({ client, environment: client.environment }) };
  }
}
