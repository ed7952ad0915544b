/** What is kept under a name (secrets, volumes, dicts, queues): the commands that all of them have, and how they ask. */
import { Argument, Option } from "commander";
import type { Client } from "lydian";

import { type CliCommand, exitStatus } from "../command.ts";
import { findProfile } from "../platform-client.ts";
import { type Column, tableOf } from "../table.ts";
import type { Terminal } from "../terminal.ts";
import { timeOf } from "../words.ts";
import { dataOption, jsonOption } from "./options.ts";

export interface NamedOptions {
  data?: string;
  env?: string;
  json?: boolean;
}

export const environmentOption = (): Option =>
  new Option("-e, --env <environment>", "whose names are looked up (default: main)").env("MODAL_ENVIRONMENT");

/** What every command about names takes. */
export const namedOptions = (): Option[] => [environmentOption(), jsonOption(), dataOption()];

export const yesOption = (): Option => new Option("-y, --yes", "do not ask");

/** To the platform that the options name, as programs ask it. */
export async function connectTo({ data, env = "" }: NamedOptions, terminal: Terminal): Promise<Client> {
  const { Client } = await import("lydian");
  const { serverUrl, tokenId, tokenSecret } = await findProfile(data, terminal.env);
  return new Client({ serverUrl, tokenId, tokenSecret, environment: env });
}

/** One of a list. */
export interface NamedRow {
  readonly id: string;
  readonly name: string;
  /** Seconds since the epoch. */
  readonly createdAt: number;
}

export interface Kind<Row extends NamedRow> {
  /** "volume", as the commands and their help say it. */
  readonly noun: string;
  /** What one is told apart by, if that is not its name. */
  readonly operand?: Argument;
  /** What is lost with it, for the question. */
  readonly contents: string;
  readonly list: (client: Client, environment: string) => Promise<readonly Row[]>;
  /** Beside the name and the time. */
  readonly columns: readonly Column<Row>[];
  /** What else there is of one for programs. */
  readonly details: (row: Row) => object;
  /** Throws a NotFoundError where there is none. */
  readonly remove: (client: Client, name: string, environment: string) => Promise<void>;
}

export function listCommand<Row extends NamedRow>(kind: Kind<Row>): CliCommand<NamedOptions> {
  const { noun } = kind;
  return {
    name: "list",
    summary: `list ${noun}s`,
    description: `Lists the ${noun}s of an environment, the newest first.`,
    options: namedOptions(),
    examples: [{ line: `lydian ${noun} list`, effect: "their names, and since when they are there" }],
    run: async (options, terminal) => {
      using client = await connectTo(options, terminal);
      const rows = await kind.list(client, options.env ?? "");
      if (options.json === true)
        return printRows(
          terminal,
          rows.map((row) => jsonOf(row, kind.details(row))),
        );
      const columns: Column<Row>[] = [
        { title: "NAME", text: ({ name }) => name },
        { title: "CREATED", text: ({ createdAt }) => timeOf(millis(createdAt)) },
        ...kind.columns,
      ];
      if (rows.length === 0) terminal.print(`There are no ${noun}s.`);
      else terminal.print(tableOf(rows, columns, (title) => terminal.paint("dim", title)));
      return exitStatus.ok;
    },
  };
}

export function deleteCommand<Row extends NamedRow>({
  noun,
  contents,
  operand = new Argument("<name>", "its name"),
  remove,
}: Kind<Row>): CliCommand<NamedOptions & { yes?: boolean }> {
  return {
    name: "delete",
    summary: `delete a ${noun}`,
    description: `Deletes a ${noun}, with ${contents}. This cannot be taken back.`,
    operands: [operand],
    options: [yesOption(), ...namedOptions()],
    examples: [{ line: `lydian ${noun} delete old --yes`, effect: "in scripts" }],
    run: async (options, terminal, [name = ""]) => {
      const { yes = false, env = "", json = false } = options;
      using client = await connectTo(options, terminal);
      const asks = !yes && terminal.interactive;
      if (asks && !(await terminal.confirm(`Delete the ${noun} ${name}, with ${contents}?`))) return exitStatus.error;
      await remove(client, name, env);
      terminal.print(json ? JSON.stringify({ name, deleted: true }) : `The ${noun} ${name} is deleted.`);
      return exitStatus.ok;
    },
  };
}

/** `make` answers the id of what is new; throws an AlreadyExistsError where there is one. */
export function createCommand(
  noun: string,
  make: (client: Client, name: string, environment: string) => Promise<string>,
): CliCommand<NamedOptions> {
  return {
    name: "create",
    summary: `make an empty ${noun}`,
    description: `Makes an empty ${noun} of this name; where there is one already, that is an error.`,
    operands: [new Argument("<name>", "what it is to be called")],
    options: namedOptions(),
    examples: [{ line: `lydian ${noun} create mine`, effect: "from then on functions find it by its name" }],
    run: async (options, terminal, [name = ""]) => {
      using client = await connectTo(options, terminal);
      const id = await make(client, name, options.env ?? "");
      terminal.print(options.json ? JSON.stringify({ id, name }) : `The ${noun} ${name} is there (${id}).`);
      return exitStatus.ok;
    },
  };
}

/** Of what has contents that can go without it. `clear` takes them out, as its options say. */
export function clearCommand<Options extends NamedOptions>(
  noun: string,
  own: { what: string; options: readonly Option[]; example: string },
  clear: (client: Client, name: string, options: Options) => Promise<void>,
): CliCommand<Options & { yes?: boolean }> {
  return {
    name: "clear",
    summary: `empty a ${noun}`,
    description: `Takes all ${own.what} out of a ${noun}, which stays.`,
    operands: [new Argument(`<${noun}>`, "its name")],
    options: [...own.options, yesOption(), ...namedOptions()],
    examples: [{ line: own.example, effect: "in scripts" }],
    run: async (options, terminal, [name = ""]) => {
      using client = await connectTo(options, terminal);
      const asks = options.yes !== true && terminal.interactive;
      if (asks && !(await terminal.confirm(`Take everything out of the ${noun} ${name}?`))) return exitStatus.error;
      await clear(client, name, options);
      terminal.print(options.json === true ? JSON.stringify({ name, cleared: true }) : `The ${noun} ${name} is empty.`);
      return exitStatus.ok;
    },
  };
}

export function printRows(terminal: Terminal, rows: readonly unknown[]): number {
  terminal.print(JSON.stringify(rows, undefined, 2));
  return exitStatus.ok;
}

export const millis = (seconds: number): bigint => BigInt(Math.round(seconds * 1000));

function jsonOf({ id, name, createdAt }: NamedRow, details: object): object {
  return { id, name, createdAt: new Date(createdAt * 1000).toISOString(), ...details };
}
