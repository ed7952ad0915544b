/** `lydian queue`: items in order that programs and functions share. */
import { inspect } from "node:util";

import { ModalClient, ObjectCreationType } from "@lydian/contract";
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

interface QueueRow extends NamedRow {
  readonly partitions: number;
  readonly items: number;
}

interface PartitionOptions extends NamedOptions {
  partition?: string;
}

const kind: Kind<QueueRow> = {
  noun: "queue",
  contents: "all its items",
  list: async (client, environmentName) => {
    const { queues } = await client.ask(ModalClient.method.queueList, { environmentName });
    return queues.map(({ name, createdAt, queueId, numPartitions, totalSize }) => {
      return { id: queueId, name, createdAt, partitions: numPartitions, items: totalSize };
    });
  },
  columns: [
    { title: "PARTITIONS", text: ({ partitions }) => String(partitions), right: true },
    { title: "ITEMS", text: ({ items }) => String(items), right: true },
  ],
  details: ({ partitions, items }) => ({ partitions, items }),
  remove: async (client, name, environment) => {
    const { Queue } = await import("lydian");
    await Queue.delete(name, { client, environment });
  },
};

const queueOperand = (): Argument => new Argument("<queue>", "its name");
const partitionOption = (): Option =>
  new Option("-p, --partition <partition>", "one of its partitions, not the usual one");

async function queueOf(client: import("lydian").Client, name: string, { env = "" }: NamedOptions) {
  const { Queue } = await import("lydian");
  return Queue.fromName(name, { client, environment: env });
}

const partitionIn = ({ partition }: PartitionOptions) => (partition === undefined ? {} : { partition });

const peek: CliCommand<PartitionOptions & { limit: number }> = {
  name: "peek",
  summary: "show the first items, and leave them there",
  description: "Shows the first items of a queue without taking them.",
  operands: [queueOperand()],
  options: [
    new Option("--limit <n>", "how many at most").default(10).argParser(parseLimit),
    partitionOption(),
    ...namedOptions(),
  ],
  examples: [{ line: "lydian queue peek failed-urls --json", effect: "for programs: one item a line" }],
  run: async (options, terminal, [name = ""]) => {
    using client = await connectTo(options, terminal);
    let left = options.limit;
    for await (const item of (await queueOf(client, name, options)).iterate(partitionIn(options))) {
      if (left-- === 0) break;
      terminal.print(options.json === true ? jsonText(item) : inspect(item, { depth: 6 }));
    }
    return exitStatus.ok;
  },
};

const len: CliCommand<PartitionOptions & { total?: boolean }> = {
  name: "len",
  summary: "say how many items there are",
  description: "Says how many items a queue has.",
  operands: [queueOperand()],
  options: [new Option("-t, --total", "of all its partitions"), partitionOption(), ...namedOptions()],
  examples: [{ line: "lydian queue len failed-urls --total", effect: "a number" }],
  run: async (options, terminal, [name = ""]) => {
    using client = await connectTo(options, terminal);
    const total = options.total === true;
    const count = await (await queueOf(client, name, options)).len({ ...partitionIn(options), total });
    terminal.print(options.json === true ? JSON.stringify({ name, len: count }) : String(count));
    return exitStatus.ok;
  },
};

const clear = clearCommand<PartitionOptions & { all?: boolean }>(
  "queue",
  {
    what: "items",
    options: [new Option("-a, --all", "all its partitions"), partitionOption()],
    example: "lydian queue clear failed-urls --all --yes",
  },
  async (client, name, options) =>
    await (await queueOf(client, name, options)).clear({ ...partitionIn(options), all: options.all === true }),
);

const create = createCommand("queue", async (client, deploymentName, environmentName) => {
  const objectCreationType = ObjectCreationType.CREATE_FAIL_IF_EXISTS;
  const request = { deploymentName, environmentName, objectCreationType };
  return (await client.ask(ModalClient.method.queueGetOrCreate, request)).queueId;
});

export const queue: CommandGroup = {
  name: "queue",
  summary: "items in order that functions share",
  description: "Queues: made, looked into, emptied and deleted.",
  commands: [create, listCommand(kind), peek, len, clear, deleteCommand(kind)],
};
