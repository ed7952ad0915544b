/** `lydian dict`: values by key that programs and functions share. */
import { inspect } from "node:util";

import { ModalClient, ObjectCreationType } from "@lydian/contract";
import { PlatformError } from "@lydian/kit";
import { Argument, Option } from "commander";

import { type CliCommand, type CommandGroup, exitStatus } from "../command.ts";
import { jsonText } from "../json-text.ts";
import {
  clearCommand,
  connectTo,
  createCommand,
  deleteCommand,
  type Kind,
  listCommand,
  type NamedOptions,
  type NamedRow,
  namedOptions,
} from "./named.ts";
import { parseLimit } from "./options.ts";

const kind: Kind<NamedRow> = {
  noun: "dict",
  contents: "all its values",
  list: async (client, environmentName) => {
    const { dicts } = await client.ask(ModalClient.method.dictList, { environmentName });
    return dicts.map(({ name, createdAt, dictId }) => ({ id: dictId, name, createdAt }));
  },
  columns: [],
  details: () => ({}),
  remove: async (client, name, environment) => {
    const { Dict } = await import("lydian");
    await Dict.delete(name, { client, environment });
  },
};

const get: CliCommand<NamedOptions> = {
  name: "get",
  summary: "show the value of a key",
  description: "Shows what a dict has under a key: a text, or a number where the dict has no such text.",
  operands: [new Argument("<dict>", "its name"), new Argument("<key>", "a text, or a number")],
  options: namedOptions(),
  examples: [{ line: "lydian dict get prices widget", effect: "its value" }],
  run: async (options, terminal, [name = "", key = ""]) => {
    const { Dict } = await import("lydian");
    using client = await connectTo(options, terminal);
    const dict = Dict.fromName<string | number>(name, { client, environment: options.env ?? "" });
    const number = key.trim() === "" ? Number.NaN : Number(key);
    const found = [key, ...(Number.isNaN(number) ? [] : [number])];
    for (const each of found) {
      if (!(await dict.contains(each))) continue;
      const value = await dict.get(each);
      terminal.print(options.json === true ? jsonText(value) : inspect(value, { depth: 6 }));
      return exitStatus.ok;
    }
    throw new PlatformError(`the dict ${name} has no key ${JSON.stringify(key)}`, {
      hint: `\`lydian dict items ${name}\` shows what it has`,
    });
  },
};

const items: CliCommand<NamedOptions & { limit: number }> = {
  name: "items",
  summary: "show keys and values",
  description: "Shows what a dict has, in no order.",
  operands: [new Argument("<dict>", "its name")],
  options: [new Option("--limit <n>", "how many at most").default(100).argParser(parseLimit), ...namedOptions()],
  examples: [{ line: "lydian dict items prices --json", effect: "for programs: one [key, value] a line" }],
  run: async ({ limit, ...options }, terminal, [name = ""]) => {
    const { Dict } = await import("lydian");
    using client = await connectTo(options, terminal);
    let left = limit;
    for await (const [key, value] of Dict.fromName<unknown>(name, {
      client,
      environment: options.env ?? "",
    }).entries()) {
      if (left-- === 0) {
        terminal.report(terminal.paintReport("dim", "… and more; --limit shows them"));
        break;
      }
      const line = options.json === true ? jsonText([key, value]) : `${inspect(key)}: ${inspect(value, { depth: 6 })}`;
      terminal.print(line);
    }
    return exitStatus.ok;
  },
};

const clear = clearCommand(
  "dict",
  { what: "keys", options: [], example: "lydian dict clear prices --yes" },
  async (client, name, { env = "" }) => {
    const { Dict } = await import("lydian");
    await Dict.fromName(name, { client, environment: env }).clear();
  },
);

const create = createCommand("dict", async (client, deploymentName, environmentName) => {
  const objectCreationType = ObjectCreationType.CREATE_FAIL_IF_EXISTS;
  const request = { deploymentName, environmentName, objectCreationType };
  return (await client.ask(ModalClient.method.dictGetOrCreate, request)).dictId;
});

export const dict: CommandGroup = {
  name: "dict",
  summary: "values by key that functions share",
  description: "Dicts: made, looked into, emptied and deleted.",
  commands: [create, listCommand(kind), get, items, clear, deleteCommand(kind)],
};
