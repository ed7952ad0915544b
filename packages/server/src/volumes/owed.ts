/**
 * Commits that are owed: they have returned to their container, all that they write is safe on the disk of this machine's
 * worker, and the files are on their way here. Until they are here nobody is shown the volume, and nobody else changes it:
 * so to everybody it is as if the commit had been made when it returned.
 */
import type { Bells, Clock } from "@lydian/kit";

import type { Limits } from "../config.ts";
import { volumeBell } from "../domain/bells.ts";
import type { Store, Tx } from "../domain/store.ts";
import type { Volume } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { knownVolume, nameOf } from "./known.ts";

/** Less than a worker waits for an answer. */
const patienceMs = 50_000;

export interface OwedDeps {
  readonly store: Store;
  readonly bells: Bells;
  readonly clock: Clock;
}

/** At most so much: what a commit writes. */
export interface OwedSize {
  readonly paths: number;
  readonly bytes: number;
  /** Bytes of its largest file. */
  readonly largest: number;
  /** Folders that it writes in, with how many names. */
  readonly folders: readonly (readonly [string, number])[];
}

/** Left free on the disk beside twice what is on its way. */
const spareBytes = 2 ** 28;

/** Resolves when nothing is owed to the volume, but for the commit with this key. Throws unavailable when that takes too long. */
export async function settled(
  { store, bells, clock }: OwedDeps,
  volumeId: string,
  { key, signal }: { key?: string | undefined; signal?: AbortSignal } = {},
): Promise<void> {
  const look = async (): Promise<true | undefined> => {
    const owed = await store.read((tx) => tx.volumes.owedOf(volumeId));
    return owed === undefined || owed === key || undefined;
  };
  const options = { clock, waitMs: patienceMs, ...(signal && { signal }) };
  if (await bells.until([volumeBell(volumeId)], look, options)) return;
  const volume = await store.read((tx) => knownVolume(tx, volumeId));
  throw fail("unavailable", `What was committed last to volume ${nameOf(volume)} is still on its way here.`, {
    hint: "Ask again. If that does not help, look whether the worker runs: `lydian status`",
  });
}

/** Whether the commit may be owed: only where nothing can refuse it when it comes. */
export async function owe(
  tx: Tx,
  volumeId: string,
  { key, size, limits, free }: { key: string; size: OwedSize; limits: Limits; free: number },
): Promise<boolean> {
  const volume = await knownVolume(tx, volumeId);
  const owed = await tx.volumes.owedOf(volumeId);
  if (owed === key) return true;
  if (owed !== undefined || free < 2 * size.bytes + spareBytes || !(await fits(tx, volume, size, limits))) return false;
  await tx.volumes.owe(volumeId, key);
  return true;
}

export async function paid(tx: Tx, volumeId: string, key: string): Promise<void> {
  if ((await tx.volumes.owedOf(volumeId)) === key) await forgive(tx, volumeId);
}

/** A worker that begins says what it owes: whatever else was owed is not there, such as in a backup. */
export async function owesOnly(tx: Tx, keys: readonly string[]): Promise<void> {
  for (const volumeId of await tx.volumes.owedBut(keys)) await forgive(tx, volumeId);
}

export async function forgive(tx: Tx, volumeId: string): Promise<void> {
  await tx.volumes.paid(volumeId);
  tx.ring(volumeBell(volumeId));
}

async function fits(tx: Tx, volume: Volume, size: OwedSize, limits: Limits): Promise<boolean> {
  const { id, head, entries, bytes, version } = volume;
  if (size.largest > limits.volumeFile || bytes + size.bytes > (limits.volumeBytes ?? Number.POSITIVE_INFINITY))
    return false;
  if (version === 1) return entries + size.paths <= limits.volumeEntries;
  if (entries + size.paths <= limits.volumeFolder) return true;
  for (const [folder, names] of size.folders) {
    if ((await tx.volumes.width(id, folder, head)) + names > limits.volumeFolder) return false;
  }
  return true;
}
