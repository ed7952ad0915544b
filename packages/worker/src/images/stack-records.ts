/** Remembers what an image was made of, so that the next worker asks neither a registry nor an interpreter. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { hasCode, writeDurably } from "@lydian/kit";
import { z } from "zod";

import { type ImageConfig, imageConfigSchema } from "./image-config.ts";
import { shortDigest } from "./layer-id.ts";

const markSchema = z.object({ path: z.string(), mtimeMs: z.number(), size: z.number() });
const recordSchema = z.object({
  layers: z.array(z.string()),
  config: imageConfigSchema,
  digest: z.string(),
  madeFrom: markSchema.optional(),
});

/** A file of the host that an image was made from, as it was then. */
export type FileMark = z.output<typeof markSchema>;

export interface StackRecord {
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
    try {
      const record = recordSchema.parse(JSON.parse(await readFile(this.#file(key), "utf8")));
      return record.madeFrom === undefined || (await isUnchanged(record.madeFrom)) ? record : undefined;
    } catch (error) {
      // One that cannot be read is as good as none: the image is looked for anew.
      if (hasCode(error, "ENOENT") || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
      throw error;
    }
  }

  async write(key: readonly unknown[], record: StackRecord): Promise<void> {
    await writeDurably(this.#file(key), JSON.stringify(record));
  }

  #file(key: readonly unknown[]): string {
    return join(this.#folder, `${shortDigest(key)}.json`);
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
