/** Environment variables that functions and image steps are given. */
import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";

import { ModalClient, ObjectCreationType } from "@lydian/contract";
import { hasCode } from "@lydian/kit/errors";

import { InvalidError, NotFoundError } from "../errors.ts";
import type { AppPlace } from "./place.ts";

/** Variables of a function's environment that nobody can read back, by name or of the app alone. */
export class Secret {
  readonly #find: (place: AppPlace) => Promise<string>;

  private constructor(find: (place: AppPlace) => Promise<string>) {
    this.#find = find;
  }

  /** One that was made by `lydian secret create` or in another way. `requiredKeys`: those that it must have. */
  static fromName(
    name: string,
    { requiredKeys = [], environment }: { requiredKeys?: string[]; environment?: string } = {},
  ): Secret {
    return new Secret(async ({ client, environment: own }) => {
      const request = { deploymentName: name, environmentName: environment ?? own, requiredKeys };
      return (await client.ask(ModalClient.method.secretGetOrCreate, request)).secretId;
    });
  }

  /** Of the app alone. Variables that are undefined are an error, by their names, when the app is run or deployed. */
  static fromObject(variables: Readonly<Record<string, string | undefined>>): Secret {
    return new Secret((place) => anonymous(place, variables));
  }

  /** What a file says, `.env` of the working directory unless another is named. It is read when the app is run or deployed. */
  static fromDotenv(path = ".env"): Secret {
    return new Secret(async (place) => {
      try {
        return await anonymous(place, parseEnv(await readFile(path, "utf8")));
      } catch (error) {
        if (!hasCode(error, "ENOENT")) throw error;
        throw new NotFoundError(`${path} does not exist, and a secret is to be made of it`, { cause: error });
      }
    });
  }

  /** These variables of the environment that the app is run or deployed in. */
  static fromLocalEnviron(names: readonly string[]): Secret {
    return new Secret((place) => anonymous(place, Object.fromEntries(names.map((name) => [name, process.env[name]]))));
  }

  /** @internal */
  id(place: AppPlace): Promise<string> {
    return this.#find(place);
  }
}

async function anonymous(
  { client, appId }: AppPlace,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const unset = Object.keys(variables).filter((name) => variables[name] === undefined);
  if (unset.length > 0) {
    throw new InvalidError(`a secret is to have ${unset.join(", ")}, which is not set here`, {
      hint: "set it in the environment, or leave it out of the secret",
    });
  }
  const request = {
    objectCreationType: ObjectCreationType.ANONYMOUS_OWNED_BY_APP,
    envDict: variables as Record<string, string>,
    appId,
  };
  return (await client.ask(ModalClient.method.secretGetOrCreate, request)).secretId;
}
