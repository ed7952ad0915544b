/** Compares layers with what they were when they were made. Changes nothing. */
import { basename } from "node:path";

import { messageOf } from "@lydian/kit";

import { readFacts } from "./layer-facts.ts";
import type { Layer, LayerStore } from "./layer-store.ts";
import { factsWay } from "./tree-facts.ts";
import { TreeReader } from "./tree-reader.ts";

export interface CheckedLayers {
  /** Those that are as they were made. */
  readonly sound: number;
  /** What these take on the disk. */
  readonly bytes: number;
  /** Nobody has read them yet since they were made: there is nothing to compare them with. */
  readonly unread: readonly string[];
  readonly damaged: readonly DamagedLayer[];
}

export interface DamagedLayer {
  readonly id: string;
  /** For people. */
  readonly what: string;
  /** The records that name it, of all platforms of the host. */
  readonly records: readonly string[];
}

export async function checkLayers(store: LayerStore): Promise<CheckedLayers> {
  await using reader = new TreeReader();
  const checked = { sound: 0, bytes: 0, unread: [] as string[], damaged: [] as DamagedLayer[] };
  for (const layer of await store.list()) {
    const facts = await readFacts(layer);
    if (facts?.digest.startsWith(`${factsWay}:`) !== true) {
      checked.unread.push(layer.id);
      continue;
    }
    const what = await damageOf(layer, facts.digest, reader);
    if (what === undefined) {
      checked.sound++;
      checked.bytes += facts.bytes;
    } else if ((await store.get(layer.id)) !== undefined) {
      checked.damaged.push({ id: layer.id, what, records: await store.recordsOf(layer.id) });
    }
  }
  return checked;
}

/** What an image's record is called by: an id, or nothing when it is a base image's. */
export function imageOfRecord(file: string): string | undefined {
  return /^(im-[A-Za-z0-9]+)\.json$/.exec(basename(file))?.[1];
}

async function damageOf(layer: Layer, digest: string, reader: TreeReader): Promise<string | undefined> {
  try {
    const now = await reader.read(layer.diff);
    return now.digest === digest ? undefined : "it is not what it was when it was made";
  } catch (error) {
    return `it cannot be read: ${messageOf(error)}`;
  }
}
