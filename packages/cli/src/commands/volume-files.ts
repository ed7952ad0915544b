/** `lydian volume`: volumes and their files, from outside of any container. */
import { createWriteStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { basename, dirname, join, posix } from "node:path";
import { pipeline } from "node:stream/promises";

import { ModalClient, ObjectCreationType, VolumeFsVersion } from "@lydian/contract";
import { hasCode, PlatformError } from "@lydian/kit";
import { Argument, Option } from "commander";
import type { Client, Volume, VolumeEntry } from "lydian";

import { type CliCommand, exitStatus } from "../command.ts";
import { type Column, tableOf } from "../table.ts";
import { amountOf, countedOf, timeOf } from "../words.ts";
import {
  connectTo,
  createCommand,
  deleteCommand,
  type Kind,
  listCommand,
  type NamedOptions,
  type NamedRow,
  namedOptions,
  printRows,
} from "./named.ts";

const kind: Kind<NamedRow> = {
  noun: "volume",
  contents: "all its files",
  list: async (client, environmentName) => {
    const { items } = await client.ask(ModalClient.method.volumeList, { environmentName });
    return items.map(({ label, volumeId, createdAt }) => ({ id: volumeId, name: label, createdAt }));
  },
  columns: [],
  details: () => ({}),
  remove: async (client, name, environment) => {
    const { Volume } = await import("lydian");
    await Volume.delete(name, { client, environment });
  },
};

const create = createCommand("volume", async (client, deploymentName, environmentName) => {
  const objectCreationType = ObjectCreationType.CREATE_FAIL_IF_EXISTS;
  const request = { deploymentName, environmentName, objectCreationType, version: VolumeFsVersion.V2 };
  return (await client.ask(ModalClient.method.volumeGetOrCreate, request)).volumeId;
});

const volumeOperand = (): Argument => new Argument("<volume>", "its name");

async function volumeOf(client: Client, name: string, { env = "" }: NamedOptions): Promise<Volume> {
  const { Volume } = await import("lydian");
  return Volume.fromName(name, { client, environment: env });
}

const ls: CliCommand<NamedOptions & { recursive?: boolean }> = {
  name: "ls",
  summary: "list files",
  description: "Lists what a folder of a volume has in it, as it was last committed.",
  operands: [volumeOperand(), new Argument("[path]", "of a folder, or a file (default: its root)")],
  options: [new Option("-r, --recursive", "also what is below"), ...namedOptions()],
  examples: [{ line: "lydian volume ls models /v2", effect: "names, sizes and times" }],
  run: async (options, terminal, [name = "", path = "/"]) => {
    using client = await connectTo(options, terminal);
    const recursive = options.recursive === true;
    const entries = await (await volumeOf(client, name, options)).listdir(path, { recursive });
    if (options.json === true) return printRows(terminal, entries);
    const columns: Column<VolumeEntry>[] = [
      { title: "KIND", text: (entry) => entry.kind },
      { title: "SIZE", text: (entry) => (entry.kind === "file" ? amountOf(entry.size) : ""), right: true },
      { title: "MODIFIED", text: ({ modifiedAt }) => timeOf(BigInt(modifiedAt.getTime())) },
      { title: "PATH", text: (entry) => entry.path },
    ];
    if (entries.length === 0) terminal.print(`${path} is empty.`);
    else terminal.print(tableOf(entries, columns, (title) => terminal.paint("dim", title)));
    return exitStatus.ok;
  },
};

const put: CliCommand<NamedOptions & { force?: boolean }> = {
  name: "put",
  summary: "upload a file or a folder",
  description: "Puts a file or a folder of this machine into a volume, in one commit.",
  operands: [
    volumeOperand(),
    new Argument("<local>", "what is here"),
    new Argument("[path]", "where it is to be there: a path that ends with / is a folder for it (default: /)"),
  ],
  options: [new Option("-f, --force", "also over files that are there"), ...namedOptions()],
  examples: [{ line: "lydian volume put models ./weights /v2/", effect: "as /v2/weights" }],
  run: async (options, terminal, [name = "", local = "", path = "/"]) => {
    const isFolder = (await kindOf(local)) === "folder";
    const remote = path.endsWith("/") ? posix.join(path, basename(local)) : path;
    using client = await connectTo(options, terminal);
    const volume = await volumeOf(client, name, options);
    const fill = (batch: Parameters<Parameters<Volume["batchUpload"]>[0]>[0]): void =>
      isFolder ? batch.putDirectory(local, remote) : batch.putFile(local, remote);
    await volume.batchUpload(fill, { force: options.force === true });
    terminal.print(
      options.json === true ? JSON.stringify({ volume: name, path: remote }) : `${local} is at ${remote} of ${name}.`,
    );
    return exitStatus.ok;
  },
};

const get: CliCommand<NamedOptions & { force?: boolean }> = {
  name: "get",
  summary: "download a file or a folder",
  description:
    "Writes a file of a volume, or a folder with all that is below it, to this machine; - writes a file to stdout.",
  operands: [
    volumeOperand(),
    new Argument("<path>", "of a file, or of a folder"),
    new Argument("[local]", "where it is to be here (default: the working directory)"),
  ],
  options: [new Option("-f, --force", "also over files that are here"), ...namedOptions()],
  examples: [
    { line: "lydian volume get models /v2/config.json -", effect: "on the screen" },
    { line: "lydian volume get models /v2 ./models", effect: "all that is below /v2" },
  ],
  run: async (options, terminal, [name = "", path = "", local = "."]) => {
    using client = await connectTo(options, terminal);
    const volume = await volumeOf(client, name, options);
    if (local === "-") {
      for await (const piece of volume.readFile(path)) process.stdout.write(piece);
      return exitStatus.ok;
    }
    const root = path.replace(/^\/+|\/+$/g, "");
    const entries = await volume.listdir(path, { recursive: true });
    const files = entries.filter((entry) => entry.kind === "file").map((entry) => entry.path.replace(/^\/+/, ""));
    const isFile = files.length === 1 && files[0] === root;
    const into = (await kindOf(local).catch(() => "none")) === "folder" ? join(local, basename(root)) : local;
    for (const file of files) {
      const target = isFile ? into : join(into, posix.relative(root, file));
      await mkdir(dirname(target), { recursive: true });
      await pipeline(
        volume.readFile(file),
        createWriteStream(target, { flags: options.force === true ? "w" : "wx" }),
      ).catch((error: unknown) => {
        if (!hasCode(error, "EEXIST")) throw error;
        throw new PlatformError(`${target} is there already`, { hint: "--force writes over it", cause: error });
      });
    }
    const said = { volume: name, path, files: files.length, to: into };
    terminal.print(
      options.json === true ? JSON.stringify(said) : `${countedOf(files.length, "file")} of ${name} in ${into}.`,
    );
    return exitStatus.ok;
  },
};

const rm: CliCommand<NamedOptions & { recursive?: boolean }> = {
  name: "rm",
  summary: "remove a file or a folder",
  description:
    "Removes a file of a volume, or with --recursive a folder and all that is in it. `lydian volume restore` brings it back.",
  operands: [volumeOperand(), new Argument("<path>", "of what goes")],
  options: [new Option("-r, --recursive", "a folder, with all that is in it"), ...namedOptions()],
  examples: [{ line: "lydian volume rm models /v1 -r", effect: "the folder" }],
  run: async (options, terminal, [name = "", path = ""]) => {
    using client = await connectTo(options, terminal);
    await (await volumeOf(client, name, options)).removeFile(path, { recursive: options.recursive === true });
    terminal.print(
      options.json === true
        ? JSON.stringify({ volume: name, path, removed: true })
        : `${path} is removed from ${name}.`,
    );
    return exitStatus.ok;
  },
};

async function kindOf(local: string): Promise<"file" | "folder"> {
  try {
    return (await stat(local)).isDirectory() ? "folder" : "file";
  } catch (error) {
    if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
    throw new PlatformError(`${local} does not exist`, { cause: error });
  }
}

export const fileCommands = [create, listCommand(kind), deleteCommand(kind), ls, put, get, rm];
