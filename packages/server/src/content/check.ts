/** Reads all stored content and compares it with its names, and all that rows need with what is there. Changes nothing. */
import { createHash } from "node:crypto";

import { messageOf } from "@lydian/kit";

import type { Sha256 } from "./digest.ts";
import type { ContentPlace } from "./place.ts";

export interface CheckedContent {
  /** What is as its name says. */
  readonly sound: { files: number; bytes: number };
  readonly damaged: readonly DamagedContent[];
}

export interface DamagedContent {
  readonly sha256: string;
  /** For people. */
  readonly what: string;
  /** Some row refers to it. */
  readonly isNeeded: boolean;
}

export async function checkContent(place: ContentPlace, needed: ReadonlySet<string>): Promise<CheckedContent> {
  const sound = { files: 0, bytes: 0 };
  const damaged: DamagedContent[] = [];
  const missing = new Set(needed);
  for await (const { sha256, size } of place.list()) {
    missing.delete(sha256);
    const what = await damageOf(place, sha256);
    if (what === undefined) {
      sound.files++;
      sound.bytes += size;
    } else damaged.push({ sha256, what, isNeeded: needed.has(sha256) });
  }
  for (const sha256 of missing) damaged.push({ sha256, what: "it is missing", isNeeded: true });
  return { sound, damaged };
}

async function damageOf(place: ContentPlace, sha256: Sha256): Promise<string | undefined> {
  try {
    const hash = createHash("sha256");
    await using content = await place.open(sha256);
    if (content === undefined) return "it is missing";
    for await (const chunk of content.stream()) hash.update(chunk as Buffer);
    return hash.digest("hex") === sha256 ? undefined : "it is not what its name says";
  } catch (error) {
    return `it cannot be read: ${messageOf(error)}`;
  }
}
