/** Remembers what an image was made of, so that the next worker asks neither a registry nor an interpreter. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { hasCode, writeDurably } from "@lydian/kit";
import { z } from "zod";

import { type ImageConfig, imageConfigSchema } from "./image-config.ts";
import { shortDigest } from "./layer-id.ts";

const markSchema = z.object({ path: z.string(), mtimeMs: z.number(), size: z.number() });
const recordSchema = z.object({
  name: z.string(),
  /** From a file: it cannot be had again from anywhere else. */
  imported: z.boolean().default(false),
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
  /** The layers' ids, topmost first. */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
  readonly digest: string;
  readonly madeFrom?: FileMark | undefined;
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
  async read(key: readonly unknown[]): Promise<StackRecord | undefined> {
    const record = await readRecord(this.#file(key));
    return record?.madeFrom === undefined || (await isUnchanged(record.madeFrom)) ? record : undefined;
  }

  /** All that is written down, whoever asked for it. */
  async list(): Promise<readonly StackRecord[]> {
    let names: string[];
    try {
      names = await readdir(this.#folder);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return [];
      throw error;
    }
    const files = names.filter((name) => name.endsWith(".json")).map((name) => join(this.#folder, name));
    return (await Promise.all(files.map(readRecord))).filter((record) => record !== undefined);
  }

  async write(key: readonly unknown[], record: StackRecord): Promise<void> {
    await writeDurably(this.#file(key), JSON.stringify(record));
  }

  #file(key: readonly unknown[]): string {
    return join(this.#folder, `${shortDigest(key)}.json`);
  }
}

/** One that cannot be read is as good as none: the image is looked for anew. */
async function readRecord(file: string): Promise<StackRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(file, "utf8")));
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
