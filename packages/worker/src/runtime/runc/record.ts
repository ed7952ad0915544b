/**
 * What the runtime must still know about a container after kill -9 of the worker, in the container's folder. Not synced:
 * after a power cut no container is left of which anything need be known.
 */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";

import type { ProcessEnd } from "../../container/exit.ts";
import type { ContainerPlace } from "../../container/folder.ts";
import type { Layer } from "../../layers/layer-store.ts";
import type { Resources } from "../runtime.ts";

/** runc.json: without it nothing of the container can have been started. */
export interface RuncRecord {
  /** /proc/sys/kernel/random/boot_id */
  readonly boot: string;
  /** The network slot's number. */
  readonly slot: number;
  /** The image's, which it holds. */
  readonly layers: readonly Layer[];
  readonly resources: Resources;
}

type Place = Pick<ContainerPlace, "folder">;

const recordFile = (place: Place): string => join(place.folder, "runc.json");
const endFile = (place: Place): string => join(place.folder, "end.json");

export async function writeRecord(place: Place, record: RuncRecord): Promise<void> {
  await writeWhole(recordFile(place), record);
}

export async function readRecord(place: Place): Promise<RuncRecord | undefined> {
  return (await readIfThere(recordFile(place))) as RuncRecord | undefined;
}

export async function removeRecord(place: Place): Promise<void> {
  await rm(recordFile(place), { force: true });
}

/** end.json: how it ended, kept when all else about the container is removed. */
export async function writeEnd(place: Place, end: ProcessEnd): Promise<void> {
  await writeWhole(endFile(place), end);
}

export async function readEnd(place: Place): Promise<ProcessEnd | undefined> {
  return (await readIfThere(endFile(place))) as ProcessEnd | undefined;
}

async function writeWhole(file: string, content: unknown): Promise<void> {
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
