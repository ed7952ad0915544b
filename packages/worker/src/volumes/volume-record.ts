/**
 * What a worker must still know of a container's volumes after kill -9, in the container's folder. Not synced: after a power
 * cut no container is left, and what it had not committed is lost.
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";

import { currentBoot } from "../boot.ts";

/** Where a container sees a volume, or a folder of it. */
export interface VolumePoint {
  /** Absolute in the container. */
  readonly path: string;
  readonly readOnly: boolean;
  /** Empty for all of the volume. */
  readonly subPath: string;
}

/** A state's number, and its layers' names, topmost first. */
export interface KnownState {
  readonly number: number;
  readonly layers: readonly string[];
}

/** What is mounted: an upper, by its number, on uppers before it, on a state. */
export interface MountedState {
  readonly upper: number;
  readonly state: KnownState;
  /** Uppers that never change again, topmost first. */
  readonly sealed: readonly number[];
  /** The topmost of them has something that is not published. */
  readonly isOwed: boolean;
  /** Shows the same as the sealed uppers on the state do. */
  readonly same?: KnownState | undefined;
}

export interface VolumeRecord {
  readonly volumeId: string;
  readonly points: readonly VolumePoint[];
  readonly mounted: MountedState;
  /** While `mounted` takes its place. */
  readonly before?: MountedState | undefined;
  /** The newest commit all of whose changes the container sees. */
  readonly seen: number;
  /** It sees changes of its own that came after a commit that it does not see. */
  readonly isBehind: boolean;
  /** How many commits were begun. */
  readonly commits: number;
}

export interface VolumePlace {
  readonly containerId: string;
  /** For the uppers; on the data disk. */
  readonly folder: string;
  /** Keeps what must be known after kill -9. */
  save(record: VolumeRecord): Promise<void>;
}

interface Saved {
  readonly boot: string;
  readonly volumes: readonly VolumeRecord[];
}

const recordFile = (folder: string): string => join(folder, "volumes.json");

export async function writeVolumes(folder: string, volumes: readonly VolumeRecord[]): Promise<void> {
  await replace(recordFile(folder), { boot: currentBoot, volumes } satisfies Saved);
}

/** Undefined where there are none, or of another boot, whose uppers are not to be trusted. */
export async function readVolumes(folder: string): Promise<readonly VolumeRecord[] | undefined> {
  const saved = (await readIfThere(recordFile(folder))) as Saved | undefined;
  return saved?.boot === currentBoot ? saved.volumes : undefined;
}

/**
 * What was published of an upper. `pending`: what will have been, once there is a commit with the key; of an upper that
 * nobody writes to any more it is all.
 */
export interface PublishedRecord {
  readonly published: readonly (readonly [string, string])[];
  readonly pending?: { readonly key: string; readonly published?: readonly (readonly [string, string])[] } | undefined;
}

const publishedFile = (folder: string): string => join(folder, "published.json");

export async function writePublished(folder: string, record: PublishedRecord): Promise<void> {
  await replace(publishedFile(folder), record);
}

export async function readPublished(folder: string): Promise<PublishedRecord> {
  return ((await readIfThere(publishedFile(folder))) as PublishedRecord | undefined) ?? { published: [] };
}

async function replace(file: string, content: unknown): Promise<void> {
  await writeFile(`${file}.tmp`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${file}.tmp`, file);
}

async function readIfThere(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
