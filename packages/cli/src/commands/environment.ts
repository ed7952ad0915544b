/** `lydian environment`: names of apps and things, kept apart. */
import { ModalClient } from "@lydian/contract";
import { Argument, Option } from "commander";

import { type CliCommand, type CommandGroup, exitStatus, UsageError } from "../command.ts";
import { tableOf } from "../table.ts";
import { connectTo, millis, printRows, yesOption } from "./named.ts";
import { dataOption, jsonOption } from "./options.ts";
import { timeOf } from "../words.ts";

interface Options {
  data?: string;
  json?: boolean;
}

const list: CliCommand<Options> = {
  name: "list",
  summary: "list environments",
  description:
    "Lists the environments. Each has apps, secrets, volumes, dicts and queues of its own, under names of its own.",
  options: [jsonOption(), dataOption()],
  examples: [
    { line: "lydian environment list", effect: "their names; * is the one that is meant where none is named" },
  ],
  run: async (options, terminal) => {
    using client = await connectTo(options, terminal);
    const { items } = await client.ask(ModalClient.method.environmentList, {});
    if (options.json === true) {
      const rows = items.map(({ environmentId: id, name, webhookSuffix, createdAt, default: isDefault }) => {
        return { id, name, webSuffix: webhookSuffix, createdAt: new Date(createdAt * 1000).toISOString(), isDefault };
      });
      return printRows(terminal, rows);
    }
    const columns = [
      { title: "NAME", text: (row: (typeof items)[number]) => `${row.name}${row.default ? " *" : ""}` },
      { title: "WEB SUFFIX", text: (row: (typeof items)[number]) => row.webhookSuffix },
      { title: "CREATED", text: (row: (typeof items)[number]) => timeOf(millis(row.createdAt)) },
    ];
    terminal.print(tableOf(items, columns, (title) => terminal.paint("dim", title)));
    return exitStatus.ok;
  },
};

const nameOperand = (what: string): Argument => new Argument("<name>", what);

const create: CliCommand<Options> = {
  name: "create",
  summary: "make an environment",
  description: "Makes an empty environment. Programs are run and deployed there by --env, or with MODAL_ENVIRONMENT.",
  operands: [nameOperand("what it is to be called")],
  options: [jsonOption(), dataOption()],
  examples: [{ line: "lydian environment create staging", effect: "then: lydian deploy app.ts --env staging" }],
  run: async (options, terminal, [name = ""]) => {
    using client = await connectTo(options, terminal);
    await client.ask(ModalClient.method.environmentCreate, { name });
    terminal.print(options.json === true ? JSON.stringify({ name }) : `The environment ${name} is there.`);
    return exitStatus.ok;
  },
};

const update: CliCommand<Options & { name?: string; webSuffix?: string }> = {
  name: "update",
  summary: "rename an environment, or its web suffix",
  description: "Changes what an environment is called, or the suffix that its web functions' host names have.",
  operands: [nameOperand("what it is called")],
  options: [
    new Option("--name <name>", "what it is to be called"),
    new Option("--web-suffix <suffix>", "of its host names; empty for none"),
    jsonOption(),
    dataOption(),
  ],
  examples: [{ line: "lydian environment update staging --name testing", effect: "under another name" }],
  run: async ({ name, webSuffix, ...options }, terminal, [currentName = ""]) => {
    if (name === undefined && webSuffix === undefined)
      throw new UsageError("there is nothing to change", { hint: "give --name or --web-suffix" });
    using client = await connectTo(options, terminal);
    const request = { currentName, ...(name !== undefined && { name }), ...(webSuffix !== undefined && { webSuffix }) };
    const changed = await client.ask(ModalClient.method.environmentUpdate, request);
    const is = { name: changed.name, webSuffix: changed.webhookSuffix };
    terminal.print(
      options.json === true
        ? JSON.stringify(is)
        : `The environment is called ${is.name} now; the suffix of its host names is ${JSON.stringify(is.webSuffix)}.`,
    );
    return exitStatus.ok;
  },
};

const remove: CliCommand<Options & { yes?: boolean }> = {
  name: "delete",
  summary: "delete an environment, with all that is in it",
  description:
    "Stops all apps of an environment, and deletes its secrets, volumes, dicts and queues. This cannot be taken back.",
  operands: [nameOperand("its name")],
  options: [yesOption(), jsonOption(), dataOption()],
  examples: [{ line: "lydian environment delete staging --yes", effect: "in scripts" }],
  run: async (options, terminal, [name = ""]) => {
    using client = await connectTo(options, terminal);
    const asks = options.yes !== true && terminal.interactive;
    if (asks && !(await terminal.confirm(`Delete the environment ${name}, with all that is in it?`)))
      return exitStatus.error;
    await client.ask(ModalClient.method.environmentDelete, { name });
    terminal.print(
      options.json === true ? JSON.stringify({ name, deleted: true }) : `The environment ${name} is deleted.`,
    );
    return exitStatus.ok;
  },
};

export const environment: CommandGroup = {
  name: "environment",
  summary: "names of apps and things, kept apart",
  description: "Environments: made, renamed and deleted.",
  commands: [list, create, update, remove],
};
