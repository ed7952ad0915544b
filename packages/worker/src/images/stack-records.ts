/** Remembers of which layers an image was made, so that the next worker asks neither a registry nor an interpreter. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { hasCode, writeDurably } from "@lydian/kit";
import { z } from "zod";

import { shortDigest } from "./layer-id.ts";

const markSchema = z.object({ path: z.string(), mtimeMs: z.number(), size: z.number() });
const recordSchema = z.object({ layers: z.array(z.string()).min(1), madeFrom: markSchema.optional() });

/** A file of the host that an image was made from, as it was then. */
export type FileMark = z.output<typeof markSchema>;

export async function markOf(path: string): Promise<FileMark> {
  const { mtimeMs, size } = await stat(path);
  return { path, mtimeMs, size };
}

export class StackRecords {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The layers' ids, topmost first; undefined when nothing is known or what it was made from has changed since. */
  async read(key: readonly unknown[]): Promise<readonly string[] | undefined> {
    try {
      const { layers, madeFrom } = recordSchema.parse(JSON.parse(await readFile(this.#file(key), "utf8")));
      return madeFrom === undefined || (await isUnchanged(madeFrom)) ? layers : undefined;
    } catch (error) {
      // One that cannot be read is as good as none: the image is looked for anew.
      if (hasCode(error, "ENOENT") || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
      throw error;
    }
  }

  async write(key: readonly unknown[], layers: readonly string[], madeFrom: FileMark | undefined): Promise<void> {
    await writeDurably(this.#file(key), JSON.stringify({ layers, madeFrom }));
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
