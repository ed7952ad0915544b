/** `lydian restore`: makes a data folder of a backup. */
import { createHash } from "node:crypto";
import { mkdir, rename, stat } from "node:fs/promises";
import { join, resolve } from "node:path";

import { hasCode, PlatformError, removeBelow, syncFolder } from "@lydian/kit";
import { type BucketSettings, type ContentPlace, settlePlace } from "@lydian/server";
import { Argument, Option } from "commander";

import {
  type BackedUpFile,
  type BackupNote,
  belongsInBackup,
  contentAt,
  databasePath,
  noteName,
  noteSchema,
} from "../backup/backup.ts";
import { filesOfFolder, isFolder, syncAll, writeFileOf } from "../backup/folder-backup.ts";
import { filesOfTar } from "../backup/tar-backup.ts";
import { type CliCommand, exitStatus } from "../command.ts";
import { contentOption, takeContentKey } from "../content-place.ts";
import { claimDataFolder } from "../data-folder.ts";
import { type DataLayout, layoutOf } from "../paths.ts";
import { amountOf, countedOf } from "../words.ts";
import { dataOption } from "./options.ts";

interface RestoreOptions {
  data?: string;
  json?: boolean;
  content?: BucketSettings;
}

export const restore: CliCommand<RestoreOptions> = {
  name: "restore",
  summary: "make a data folder of a backup",
  description:
    "Makes a platform's data folder of what `lydian backup` has written, and compares each stored file with its digest on the " +
    "way. The folder must have no platform in it. What ran when the backup was made is run again: its containers are gone. " +
    "A backup without keys gets new ones, but for secrets: put the key of its time back (server/secrets-key, or your own " +
    "variable) before the first start.",
  operands: [new Argument("<from>", "the file or folder")],
  options: [contentOption(), new Option("--json", "print JSON"), dataOption()],
  examples: [
    { line: "lydian restore /backup/lydian-monday.tar", effect: "into the usual data folder" },
    { line: "lydian restore /backup/monday --data ./try", effect: "beside a platform that runs" },
    { line: "lydian restore /backup/monday --content s3://files/lydian", effect: "stored files go into a bucket" },
  ],
  run: async ({ data, json, content }, terminal, [where = ""]) => {
    const layout = layoutOf(data, terminal.env);
    const path = resolve(where);
    const files = (await isFolder(path)) ? filesOfFolder(path) : filesOfTar(path);
    using _lock = await claimDataFolder(layout);
    await refusePlatform(layout);
    const draft = join(layout.root, "restoring");
    await removeBelow(layout.root, draft);
    using place = content && (await settlePlace(join(draft, "server"), content, takeContentKey(terminal.env)));
    const note = await terminal.step("Restoring", () => restoreAll(layout, { draft, place }, files, path));
    if (json === true) terminal.print(JSON.stringify({ data: layout.root, ...note }, undefined, 2));
    else {
      terminal.print(
        `${layout.root} has ${countedOf(note.files, "file")} (${amountOf(note.bytes)}) as of ${note.madeAt}.`,
      );
      if (!note.withKeys)
        terminal.print(`For its secrets, put the key of that time into ${join(layout.server, "secrets-key")}.`);
      terminal.print(`Start it: lydian up${layout.option}`);
    }
    return exitStatus.ok;
  },
};

async function refusePlatform(layout: DataLayout): Promise<void> {
  try {
    await stat(join(layout.root, databasePath));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return;
    throw error;
  }
  throw new PlatformError(`there is a platform in ${layout.root}`, {
    hint: "move its folder away, or name another one with --data",
  });
}

/** All is written beside and takes its place in the end; what a death leaves is written anew by the next try. */
async function restoreAll(
  layout: DataLayout,
  { draft, place }: { draft: string; place: ContentPlace | undefined },
  files: AsyncIterable<BackedUpFile>,
  from: string,
): Promise<BackupNote> {
  const sum = { files: 0, bytes: 0 };
  let note: BackupNote | undefined;
  for await (const file of files) {
    if (file.path === noteName) {
      note = noteOf(await textOf(file), from);
      continue;
    }
    if (!belongsInBackup(file.path)) throw new PlatformError(`${from} is no backup: it has ${file.path} in it`);
    await writeFileOf(checked(file, from), join(draft, file.path));
    const sha256 = contentAt(file.path);
    if (sha256 !== undefined) await place?.take(join(draft, file.path), sha256);
    sum.files++;
    sum.bytes += file.size;
  }
  if (note === undefined || note.files !== sum.files || note.bytes !== sum.bytes) {
    await removeBelow(layout.root, draft);
    throw new PlatformError(`${from} is not a whole backup: something of it is missing`, {
      hint: "take another one; nothing was restored",
    });
  }
  await mkdir(join(draft, "server"), { recursive: true });
  await syncAll(draft);
  await removeBelow(layout.root, layout.server);
  if (note.withKeys) await rename(join(draft, "profile.toml"), layout.profile);
  await rename(join(draft, "server"), layout.server);
  await syncFolder(layout.root);
  await removeBelow(layout.root, draft);
  return note;
}

function noteOf(text: string, from: string): BackupNote {
  const note = noteSchema.safeParse(JSON.parse(text));
  if (note.success) return note.data;
  throw new PlatformError(`${from} was written by another version of Lydian`, { hint: "restore it with that one" });
}

/** The same file; reading it to its end throws when it is content and not what its name says. */
function checked(file: BackedUpFile, from: string): BackedUpFile {
  const sha256 = contentAt(file.path);
  if (sha256 === undefined) return file;
  const open = async function* (): AsyncGenerator<Uint8Array> {
    const hash = createHash("sha256");
    for await (const chunk of file.open()) {
      hash.update(chunk);
      yield chunk;
    }
    if (hash.digest("hex") === sha256) return;
    throw new PlatformError(`${from} is damaged: ${file.path} is not what its name says`, {
      hint: "take another backup; nothing was restored",
    });
  };
  return { ...file, open };
}

async function textOf(file: BackedUpFile): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.open()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
