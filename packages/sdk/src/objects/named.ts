/** Dicts and queues: found by name, with a client. */
import { ObjectCreationType } from "@lydian/contract";

import { Client } from "../client/client.ts";
import { Found, type NameOptions, type Place } from "./place.ts";

export interface NamedOptions extends NameOptions {
  /** Makes an empty one where there is none of the name; otherwise that is a NotFoundError. */
  createIfMissing?: boolean;
}

interface Request {
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

  async here(): Promise<{ client: Client; id: string }> {
    const client = this.#options.client ?? Client.usual();
    return { client, id: await this.#found.id({ client, environment: client.environment }) };
  }
}
