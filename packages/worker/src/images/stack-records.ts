/** Remembers what an image was made of, so that the next worker asks neither a registry nor an interpreter. */
import { readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";

import { hasCode, namesIn, writeDurably } from "@lydian/kit";
import { z } from "zod";

import { type ImageConfig, imageConfigSchema } from "./image-config.ts";
import { shortDigest } from "./layer-id.ts";

const markSchema = z.object({ path: z.string(), mtimeMs: z.number(), size: z.number() });
const recordSchema = z.object({
  name: z.string(),
  /** From a file: it cannot be had again from anywhere else. */
  imported: z.boolean().default(false),
  /** Its registry is to say for each who asks whether it is for them. */
  isPrivate: z.boolean().default(false),
  layers: z.array(z.string()),
  config: imageConfigSchema,
  digest: z.string(),
  madeFrom: markSchema.optional(),
});

/** A file of the host that an image was made from, as it was then. */
export type FileMark = z.output<typeof markSchema>;

export interface StackRecord {
  /** The whole name of the image. */
  readonly name: string;
  readonly imported: boolean;
  readonly isPrivate: boolean;
  /** The layers' ids, topmost first. */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
  readonly digest: string;
  readonly madeFrom?: FileMark | undefined;
}

/** A record where it lies. */
export interface KeptRecord extends StackRecord {
  readonly file: string;
  /** When the image was last asked for; milliseconds since the epoch. */
  readonly usedAt: number;
}

export async function markOf(path: string): Promise<FileMark> {
  const { mtimeMs, size } = await stat(path);
  return { path, mtimeMs, size };
}

export class StackRecords {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined when nothing is known or what it was made from has changed since. */
  async read(key: readonly unknown[]): Promise<KeptRecord | undefined> {
    const record = await readRecord(this.fileOf(key));
    return record?.madeFrom === undefined || (await isUnchanged(record.madeFrom)) ? record : undefined;
  }

  /** All that is written down, whoever asked for it. */
  async list(): Promise<readonly KeptRecord[]> {
    const files = (await namesIn(this.#folder))
      .filter((name) => name.endsWith(".json"))
      .map((name) => join(this.#folder, name));
    return (await Promise.all(files.map(readRecord))).filter((record) => record !== undefined);
  }

  async write(key: readonly unknown[], record: StackRecord): Promise<void> {
    await writeDurably(this.fileOf(key), JSON.stringify(record));
  }

  /** It is used now: the file's own time says when that was last. Nothing happens when it is gone. */
  async use({ file }: KeptRecord, nowMs: number): Promise<void> {
    try {
      await utimes(file, nowMs / 1000, nowMs / 1000);
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
    }
  }

  /** Twice does no harm. */
  async remove({ file }: KeptRecord): Promise<void> {
    await rm(file, { force: true });
  }

  /** Where the record under this key lies. */
  fileOf(key: readonly unknown[]): string {
    return join(this.#folder, `${shortDigest(key)}.json`);
  }
}

/** One that cannot be read is as good as none: the image is looked for anew. */
export async function readRecord(file: string): Promise<KeptRecord | undefined> {
  try {
    const record = recordSchema.parse(JSON.parse(await readFile(file, "utf8")));
    return { ...record, file, usedAt: (await stat(file)).mtimeMs };
  } catch (error) {
    if (hasCode(error, "ENOENT") || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

/** A file that is gone makes no other image possible, so the one that there is stays good. */
async function isUnchanged(mark: FileMark): Promise<boolean> {
  try {
    const { mtimeMs, size } = await markOf(mark.path);
    return mtimeMs === mark.mtimeMs && size === mark.size;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return true;
    throw error;
  }
}
