/** What a backup is: files of a data folder by their paths, and at its end a note of what is in it, without which it is not whole. */
import { isSha256, type Sha256 } from "@lydian/server";
import { z } from "zod";

/** A file of a data folder, on its way into a backup or out of it. */
export interface BackedUpFile {
  /** Below the data folder, with slashes. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** At most once. */
  open(): AsyncIterable<Uint8Array>;
}

/** Where a backup is written to. */
export interface BackupTarget {
  add(file: BackedUpFile): Promise<void>;
  /** When it resolves all of it is on disk under its name. */
  finish(): Promise<void>;
  /** Takes away what was written. */
  abandon(): Promise<void>;
}

export const noteName = "backup.json";

export const noteSchema = z.object({
  format: z.literal(1),
  /** ISO 8601. */
  madeAt: z.string(),
  /** With the keys and tokens of the platform. */
  withKeys: z.boolean(),
  /** Without the note itself. */
  files: z.number().int(),
  bytes: z.number().int(),
});

export type BackupNote = z.output<typeof noteSchema>;

/** The database, by whose path a restore knows what is to be read; and what of a data folder may be in a backup beside it. */
export const databasePath = "server/store.sqlite";

const others = [/^server\/(?:key|secrets-key)$/, /^server\/logs\/[A-Za-z0-9-]+\/[A-Za-z0-9.]+$/, /^profile\.toml$/];

/** What content has this path; undefined for what is no content. */
export function contentAt(path: string): Sha256 | undefined {
  const [, folder = "", sha256 = ""] = /^server\/content\/([0-9a-f]{2})\/([0-9a-f]{64})$/.exec(path) ?? [];
  return isSha256(sha256) && sha256.startsWith(folder) ? sha256 : undefined;
}

/** Nothing else is written by a restore, whoever made the backup. */
export function belongsInBackup(path: string): boolean {
  return path === databasePath || contentAt(path) !== undefined || others.some((pattern) => pattern.test(path));
}
