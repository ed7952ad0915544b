/** Writes, reads and takes entries of a dict. */
import type { Logger } from "@lydian/kit";

import type { Context } from "../domain/context.ts";
import { type DictEntry, type Dicts, isToBeKept, keptUntil, type StoredEntry } from "../domain/dict.ts";
import type { NamedObject } from "../domain/named-object.ts";
import type { Store, Tx } from "../domain/store.ts";
import { fail, tooLarge } from "../errors.ts";
import { knownObject } from "../objects/manage.ts";

export interface DictLimits {
  dictEntryBytes: number;
  dictUpdateEntries: number;
}

/** More are not counted. */
export const mostCounted = 100_000;

/** Of entries that are read from the store at a time, in bytes. */
const portionBytes = 1024 * 1024;

export function checkEntries(entries: readonly DictEntry[], limits: DictLimits): void {
  if (entries.length > limits.dictUpdateEntries) {
    throw tooLarge(`The update has ${entries.length} entries, and ${limits.dictUpdateEntries} is the most`);
  }
  for (const { key, value } of entries) {
    if (key.byteLength === 0) throw fail("invalidArgument", "A key of a Dict cannot be empty.");
    const bytes = key.byteLength + value.byteLength;
    if (bytes <= limits.dictEntryBytes) continue;
    throw tooLarge(`An entry with its key has ${bytes} bytes, and ${limits.dictEntryBytes} is the most`, {
      hint: "Put large data into several entries, or into a file",
    });
  }
}

/** With `ifMissing` what is there stays as it is. Answers whether all of them were written. */
export async function setEntries(
  tx: Tx,
  { contents }: NamedObject,
  entries: readonly DictEntry[],
  options: { ifMissing: boolean; keptMs: number },
  { now }: Pick<Context, "now">,
): Promise<boolean> {
  const until = keptUntil(now, options.keptMs);
  let isWhole = true;
  for (const entry of entries) {
    if (options.ifMissing && (await tx.dicts.has(contents, entry.key, now)) !== undefined) {
      isWhole = false;
      await tx.dicts.keep(contents, [entry.key], until);
    } else await tx.dicts.put(contents, { ...entry, keptUntil: until });
  }
  return isWhole;
}

/** Takes it out. */
export async function popEntry(tx: Tx, dictId: string, key: Uint8Array, now: number): Promise<Uint8Array | undefined> {
  const { contents } = await knownObject(tx, "dict", dictId);
  const entry = await tx.dicts.get(contents, key, now);
  if (entry !== undefined) await tx.dicts.remove(contents, key);
  return entry?.value;
}

export interface Reading {
  store: Store;
  log: Logger;
  now: number;
  keptMs: number;
}

/** What `look` finds is used by this, and kept on for it. */
export async function readEntry<Entry extends Pick<StoredEntry, "keptUntil">>(
  reading: Reading,
  { dictId, key }: { dictId: string; key: Uint8Array },
  look: (dicts: Dicts, contents: number) => Promise<Entry | undefined>,
): Promise<Entry | undefined> {
  const { contents, entry } = await reading.store.read(async (tx) => {
    const { contents } = await knownObject(tx, "dict", dictId);
    return { contents, entry: await look(tx.dicts, contents) };
  });
  if (entry !== undefined) await keepOn(reading, contents, [{ ...entry, key }]);
  return entry;
}

/**
 * All entries, a portion at a time: one that is there from the beginning to the end comes once, one that is written or
 * taken meanwhile may come or not. Reading their values is a use of them.
 */
export async function* allEntries(reading: Reading, dictId: string, withValues: boolean): AsyncGenerator<DictEntry> {
  const portion = { withValues, bytes: portionBytes };
  let after: Uint8Array | undefined;
  for (;;) {
    const from = after;
    const { contents, entries } = await reading.store.read(async (tx) => {
      const { contents } = await knownObject(tx, "dict", dictId);
      return { contents, entries: await tx.dicts.after(contents, from, portion, reading.now) };
    });
    if (entries.length === 0) return;
    if (withValues) await keepOn(reading, contents, entries);
    yield* entries;
    after = entries.at(-1)?.key;
  }
}

/** Of those that would be gone too early after this use of them. What a power cut undoes of it is one use. */
async function keepOn(
  { store, log, now, keptMs }: Reading,
  contents: number,
  entries: readonly Pick<StoredEntry, "key" | "keptUntil">[],
): Promise<void> {
  const keys = entries.filter((entry) => isToBeKept(entry, now, keptMs)).map(({ key }) => key);
  if (keys.length === 0) return;
  try {
    await store.note((tx) => tx.dicts.keep(contents, keys, keptUntil(now, keptMs)));
  } catch (error) {
    log.warn({ err: error }, "entries of a dict that were read could not be kept for longer"); // they were read all the same
  }
}
