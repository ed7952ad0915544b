/** `lydian secret`: environment variables that functions are given by a name, and the key that they are encrypted with. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { parseEnv } from "node:util";

import { ModalClient, ObjectCreationType, operator, type SecretListItem } from "@lydian/contract";
import { hasCode, PlatformError } from "@lydian/kit";
import { Argument, Option } from "commander";

import { type CliCommand, type CommandGroup, exitStatus, UsageError } from "../command.ts";
import { connect } from "../platform-client.ts";
import { timeOf } from "../words.ts";
import {
  connectTo,
  deleteCommand,
  type Kind,
  listCommand,
  millis,
  type NamedOptions,
  type NamedRow,
  namedOptions,
} from "./named.ts";
import { dataOption, jsonOption } from "./options.ts";

interface CreateOptions extends NamedOptions {
  fromDotenv?: string;
  fromJson?: string;
  force?: boolean;
}

type SecretRow = NamedRow & Pick<SecretListItem, "lastUsedAt">;

const kind: Kind<SecretRow> = {
  noun: "secret",
  contents: "its variables",
  list: async (client, environmentName) => {
    const { items } = await client.ask(ModalClient.method.secretList, { environmentName });
    return items.map(({ label, secretId, createdAt, lastUsedAt }) => ({
      id: secretId,
      name: label,
      createdAt,
      lastUsedAt,
    }));
  },
  columns: [{ title: "LAST USED", text: ({ lastUsedAt }) => (lastUsedAt === 0 ? "" : timeOf(millis(lastUsedAt))) }],
  details: ({ lastUsedAt }) => ({ lastUsedAt: lastUsedAt === 0 ? null : new Date(lastUsedAt * 1000).toISOString() }),
  remove: async (client, deploymentName, environmentName) => {
    const request = { deploymentName, environmentName };
    const { secretId } = await client.ask(ModalClient.method.secretGetOrCreate, request);
    await client.ask(ModalClient.method.secretDelete, { secretId });
  },
};

const create: CliCommand<CreateOptions> = {
  name: "create",
  summary: "make a secret of environment variables",
  description:
    "Makes a secret, which functions name by Secret.fromName(name) and see as environment variables. Its values are encrypted, " +
    "and nobody can read them back. A value that is - is read from stdin, so that it is in no shell's history.",
  operands: [new Argument("<name>", "what it is to be called"), new Argument("[KEY=VALUE...]", "its variables")],
  options: [
    new Option("--from-dotenv <file>", "also those of a file like .env"),
    new Option("--from-json <file>", "also those of a JSON object of texts"),
    new Option("--force", "put it in place of one of this name"),
    ...namedOptions(),
  ],
  examples: [
    { line: "lydian secret create cdn CDN_TOKEN=abc", effect: "one variable" },
    { line: "lydian secret create cdn CDN_TOKEN=- < token.txt", effect: "its value from a file" },
    { line: "lydian secret create all --from-dotenv .env --force", effect: "all of a file, again" },
  ],
  run: async (options, terminal, [name = "", ...pairs]) => {
    const variables = { ...(await fromFiles(options)), ...(await fromPairs(pairs)) };
    const keys = Object.keys(variables);
    if (keys.length === 0)
      throw new UsageError("a secret has one variable at least", { hint: "write KEY=VALUE, or --from-dotenv FILE" });
    using client = await connectTo(options, terminal);
    const how = options.force === true ? "CREATE_OVERWRITE_IF_EXISTS" : "CREATE_FAIL_IF_EXISTS";
    const { secretId } = await client.ask(ModalClient.method.secretGetOrCreate, {
      deploymentName: name,
      environmentName: options.env ?? "",
      objectCreationType: ObjectCreationType[how],
      envDict: variables,
    });
    const use = `{ secrets: [Secret.fromName(${JSON.stringify(name)})] }`;
    if (options.json) terminal.print(JSON.stringify({ id: secretId, name, keys }));
    else terminal.print(`The secret ${name} is there, with ${keys.join(", ")}. Functions have it by ${use}.`);
    return exitStatus.ok;
  },
};

async function fromPairs(pairs: readonly string[]): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const pair of pairs) {
    const [, key, value] = /^([^=]+)=([\s\S]*)$/.exec(pair) ?? [];
    if (key === undefined || value === undefined)
      throw new UsageError(`${JSON.stringify(pair)} is no variable`, { hint: "write KEY=VALUE" });
    variables[key] = value === "-" ? (await text(process.stdin)).replace(/\r?\n$/, "") : value;
  }
  return variables;
}

async function fromFiles({ fromDotenv, fromJson }: CreateOptions): Promise<Record<string, string>> {
  const dotenv = fromDotenv === undefined ? {} : (parseEnv(await read(fromDotenv)) as Record<string, string>);
  return { ...dotenv, ...(fromJson === undefined ? {} : textsIn(fromJson, await read(fromJson))) };
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (!hasCode(error, "ENOENT", "EISDIR", "EACCES")) throw error;
    throw new PlatformError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function textsIn(file: string, json: string): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new PlatformError(`${file} is no JSON`, { cause });
  }
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const wrong = isObject
    ? Object.entries(value as object).find(([, each]) => typeof each !== "string")?.[0]
    : undefined;
  if (isObject && wrong === undefined) return value as Record<string, string>;
  throw new PlatformError(`${file} is no JSON object of texts${wrong === undefined ? "" : `: ${wrong} is none`}`, {
    hint: 'it looks like {"KEY": "value"}',
  });
}

const rotateKey: CliCommand<{ data?: string; json?: boolean }> = {
  name: "rotate-key",
  summary: "encrypt all secrets under a new key",
  description:
    "Makes a new key, encrypts every secret under it, and then forgets the old one. Where it is broken off, all secrets stay " +
    "readable, and running it again ends it. A backup of the database that was made before needs the key of its time. " +
    "With LYDIAN_SECRETS_KEY or LYDIAN_SECRETS_KEY_FILE the keys are yours: write the new one before the old one, start " +
    "`lydian up` again, run this, and take the old one away.",
  options: [jsonOption(), dataOption()],
  examples: [{ line: "lydian secret rotate-key", effect: "of the platform that runs on this machine" }],
  run: async (options, terminal) => {
    using client = await connect(options, terminal.env);
    const { keyId, secrets, unreadable } = await client.ask(operator.Operators.method.rotateSecretsKey, {});
    const done = `${secrets} ${secrets === 1 ? "secret is" : "secrets are"} under key ${keyId} now.`;
    terminal.print(options.json ? JSON.stringify({ keyId, secrets, unreadable }) : done);
    if (unreadable.length === 0) return exitStatus.ok;
    terminal.report(`No key opens these, which have to be created anew: ${unreadable.join(", ")}`);
    return exitStatus.error;
  },
};

export const secret: CommandGroup = {
  name: "secret",
  summary: "environment variables of functions, by name",
  description: "Secrets: made, listed and deleted; and the key that they are encrypted with.",
  commands: [create, listCommand(kind), deleteCommand(kind), rotateKey],
};
