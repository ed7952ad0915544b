/**
 * What a backup of a server's folder is made of, while the server runs: the database as of one moment, all content that it
 * names, and the logs. Logs are only written at their ends, and what lies behind the end that the database says is cut off when
 * they are used.
 */
import { stat } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";

import { hasCode, namesIn } from "@lydian/kit";

import { KeySet } from "./content/key-set.ts";
import { findNeeded, type Keys, type Needed } from "./content/needed.ts";
import type { ContentPlace } from "./content/place.ts";
import { sha256Of } from "./content/digest.ts";
import { readStore } from "./store/sqlite.ts";

/** A file of the server's folder. */
export interface ServerFile {
  /** Below the folder. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** At most once; as many bytes as `size` says. */
  open(): AsyncIterable<Uint8Array>;
}

/** By which whoever has them can read secrets, and make links and doors of the platform. */
export const keyFiles = ["key", "secrets-key"] as const;

/** As many pages as there are, in one step: a copy in several would begin anew whenever the server writes. */
const allPages = 2 ** 31 - 1;

/** Copies the database as of one moment; whoever writes it goes on. */
export async function copyDatabase(folder: string, copy: string): Promise<void> {
  const database = new DatabaseSync(join(folder, "store.sqlite"), { readOnly: true, timeout: 5000 });
  try {
    await backup(database, copy, { rate: allPages });
  } finally {
    database.close();
  }
}

/**
 * All of the folder that a copy of its database needs, which is not among it; removals have to be held since before the copy was made
 * (`holdRemovals`).
 */
export async function* serverFiles(
  folder: string,
  { copy, place, withKeys }: { copy: string; place: ContentPlace; withKeys: boolean },
): AsyncGenerator<ServerFile> {
  for (const path of withKeys ? keyFiles : []) yield* fileAt(folder, path);
  for (const log of await namesIn(join(folder, "logs"))) {
    for (const name of await namesIn(join(folder, "logs", log))) yield* fileAt(folder, join("logs", log, name));
  }
  const { content } = await neededBy(copy, place, () => new KeySet());
  for await (const { sha256, size } of place.list()) {
    if (!content.has(sha256)) continue;
    const path = join("content", sha256.slice(0, 2), sha256);
    yield { path, size, open: () => bytesOf(place, sha256) };
  }
}

/** What content a database needs, and where it lies. */
export async function neededBy<Found extends Keys>(
  database: string,
  place: ContentPlace,
  newKeys: () => Found,
): Promise<Needed<Found>> {
  const read = async (sha256: string): Promise<Uint8Array | undefined> => {
    if ((await place.size(sha256Of(sha256))) === undefined) return undefined; // for a check to tell
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytesOf(place, sha256)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  const pause = (): Promise<void> => Promise.resolve();
  return await readStore(database).snapshot((tx) => findNeeded(tx, { newKeys, read, pause }));
}

/** Nothing where there is no such content. */
export async function* bytesOf(place: ContentPlace, sha256: string): AsyncGenerator<Uint8Array> {
  await using content = await place.open(sha256Of(sha256));
  for await (const chunk of content?.stream() ?? []) yield chunk as Buffer;
}

/** None where it is gone: a log that was forgotten, a key that was never made. */
async function* fileAt(folder: string, path: string): AsyncGenerator<ServerFile> {
  const file = join(folder, path);
  try {
    const { size } = await stat(file);
    const open = () => (size === 0 ? nothing() : createReadStream(file, { end: size - 1 }));
    yield { path, size, open: open as () => AsyncIterable<Buffer> };
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
