/** Backups that are one file: a tar archive, which appears under its name when it is whole. */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { access, open, rename, rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { pipeline } from "node:stream/promises";

import { hasCode, messageOf, PlatformError, syncFolder, temporaryBeside } from "@lydian/kit";
import { extract, pack } from "tar-stream";

import type { BackedUpFile, BackupTarget } from "./backup.ts";

/** Throws a PlatformError where there is something already. */
export async function tarTarget(file: string): Promise<BackupTarget> {
  if (await exists(file)) throw new PlatformError(`${file} is there already`, { hint: "name a file that is not" });
  const temporary = temporaryBeside(file);
  const handle = await open(temporary, "wx", 0o600).catch((error: unknown) => {
    throw new PlatformError(`cannot write ${file}: ${messageOf(error)}`, { hint: "name another place", cause: error });
  });
  const archive = pack();
  const written = pipeline(archive, handle.createWriteStream({ flush: true }));
  written.catch(() => {}); // thrown by whoever awaits it next
  return {
    add: async (file) => {
      const { path, size } = file;
      const done = Promise.withResolvers<void>();
      const entry = archive.entry({ name: path, size, mode: 0o600 }, (error) =>
        error ? done.reject(error) : done.resolve(),
      );
      for await (const chunk of file.open())
        if (!entry.write(chunk)) await Promise.race([once(entry, "drain"), written]);
      entry.end(null);
      await Promise.race([done.promise, written]);
    },
    finish: async () => {
      archive.finalize();
      await written;
      await rename(temporary, file);
      await syncFolder(dirname(file));
    },
    abandon: async () => {
      archive.destroy();
      await written.catch(() => {}); // it was broken off
      await rm(temporary, { force: true });
    },
  };
}

/** The files of a backup that is an archive, each to be read before the next. */
export async function* filesOfTar(file: string): AsyncGenerator<BackedUpFile> {
  const archive = extract();
  const reading = pipeline(createReadStream(file), archive);
  reading.catch(() => {}); // thrown below
  try {
    for await (const entry of archive) {
      const { name, size, type } = entry.header;
      if (type !== "file") throw new PlatformError(`${basename(file)} has something in it that is no file: ${name}`);
      yield { path: name, size, open: () => entry as AsyncIterable<Buffer> };
    }
    await reading;
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw new PlatformError(`${file} cannot be read as a backup: ${messageOf(error)}`, {
      hint: "it may be broken off, or no backup",
      cause: error,
    });
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}
