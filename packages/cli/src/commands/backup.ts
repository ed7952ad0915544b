/** `lydian backup`: copies a platform while it runs, as of one moment. */
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { hasCode, PlatformError } from "@lydian/kit";
import { type BucketKey, contentPlace, copyDatabase, holdRemovals, serverFiles } from "@lydian/server";
import { Argument, Option } from "commander";

import { type BackedUpFile, type BackupNote, type BackupTarget, databasePath, noteName } from "../backup/backup.ts";
import { folderTarget } from "../backup/folder-backup.ts";
import { tarTarget } from "../backup/tar-backup.ts";
import { type CliCommand, exitStatus } from "../command.ts";
import { takeContentKey } from "../content-place.ts";
import { type DataLayout, layoutOf } from "../paths.ts";
import { amountOf, countedOf } from "../words.ts";
import { dataOption } from "./options.ts";

interface BackupOptions {
  data?: string;
  withKeys?: boolean;
  json?: boolean;
}

export const backup: CliCommand<BackupOptions> = {
  name: "backup",
  summary: "copy the platform's data, also while it runs",
  description:
    "Copies the data of a platform, as of one moment, whether it runs or not: apps, calls with their arguments and results, " +
    "volumes with their kept states, dicts, queues, secrets as they are encrypted, logs, and all files that these name. Not " +
    "what containers have written and not committed, and not the layers of images, which are made again. The keys of the platform " +
    "are not in it unless --with-keys says so: without the key for secrets (server/secrets-key, or your own) no secret in it can " +
    "be read, so keep both, apart. While it runs nothing that is stored is removed. It is read as the user that the platform " +
    "belongs to, or root.",
  operands: [new Argument("<to>", "a file, whose name ends with .tar, or a folder; not there yet")],
  options: [
    new Option("--with-keys", "also copy the keys and the owner's token: who has the backup has the platform"),
    new Option("--json", "print JSON"),
    dataOption(),
  ],
  examples: [
    { line: "lydian backup /backup/lydian-monday.tar", effect: "one file" },
    { line: "lydian backup /backup/monday", effect: "a folder" },
  ],
  run: async ({ data, withKeys = false, json }, terminal, [where = ""]) => {
    const layout = layoutOf(data, terminal.env);
    await checkThere(layout);
    const path = resolve(where);
    const target = path.endsWith(".tar") ? await tarTarget(path) : await folderTarget(path);
    let note: BackupNote;
    try {
      note = await terminal.step("Copying", () =>
        copyAll(layout, { beside: dirname(path), target, withKeys, key: takeContentKey(terminal.env) }),
      );
      await target.finish();
    } catch (error) {
      await target.abandon();
      throw error;
    }
    if (json === true) terminal.print(JSON.stringify({ path, ...note }, undefined, 2));
    else {
      terminal.print(`${path} has ${countedOf(note.files, "file")} (${amountOf(note.bytes)}) as of ${note.madeAt}.`);
      const keys = withKeys ? "Whoever has it has the platform's keys." : "The platform's keys are not in it.";
      terminal.print(terminal.paint("dim", keys));
    }
    return exitStatus.ok;
  },
};

async function copyAll(
  layout: DataLayout,
  {
    beside,
    target,
    withKeys,
    key,
  }: { beside: string; target: BackupTarget; withKeys: boolean; key: BucketKey | undefined },
): Promise<BackupNote> {
  using _held = await holdRemovals(layout.server);
  const madeAt = new Date().toISOString();
  const temporary = await mkdtemp(join(beside, ".lydian-backup-"));
  const sum = { files: 0, bytes: 0 };
  const add = async (file: BackedUpFile): Promise<void> => {
    await target.add(file);
    sum.files++;
    sum.bytes += file.size;
  };
  try {
    const copy = join(temporary, "store.sqlite");
    await copyDatabase(layout.server, copy);
    await add(await fileAt(copy, databasePath));
    using place = await contentPlace(layout.server, key);
    for await (const file of serverFiles(layout.server, { copy, place, withKeys })) {
      await add({ path: `server/${file.path}`, size: file.size, open: () => file.open() });
    }
    if (withKeys) await add(await fileAt(layout.profile, "profile.toml"));
    const note: BackupNote = { format: 1, madeAt, withKeys, ...sum };
    const text = Buffer.from(`${JSON.stringify(note, undefined, 2)}\n`);
    await target.add({ path: noteName, size: text.length, open: () => bytes(text) });
    return note;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function checkThere(layout: DataLayout): Promise<void> {
  try {
    await stat(join(layout.root, databasePath));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) {
      throw new PlatformError(`there is no platform in ${layout.root}`, { hint: "name its folder with --data" });
    }
    if (!hasCode(error, "EACCES")) throw error;
    throw new PlatformError(`the platform in ${layout.root} belongs to another user`, { hint: "run it with sudo" });
  }
}

async function fileAt(file: string, path: string): Promise<BackedUpFile> {
  const { size } = await stat(file);
  return { path, size, open: () => createReadStream(file) as AsyncIterable<Buffer> };
}

async function* bytes(text: Uint8Array): AsyncGenerator<Uint8Array> {
  yield text;
}
