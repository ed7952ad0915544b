/** Entries of dicts, and how long they are kept. */

export interface DictEntry {
  key: Uint8Array;
  value: Uint8Array;
}

export interface StoredEntry extends DictEntry {
  /** It is gone from this moment on. */
  keptUntil: number;
}

/** Reads within this part of the time that an entry is kept do not have it written again. */
const slack = 1 / 168;

/** Of an entry that is used now: the time that it is kept at least, and some, so that not every read is a write. */
export function keptUntil(now: number, keptMs: number): number {
  return now + Math.ceil(keptMs * (1 + slack));
}

/** Whether an entry that is read now would be kept for too short a time. */
export function isToBeKept(entry: Pick<StoredEntry, "keptUntil">, now: number, keptMs: number): boolean {
  return entry.keptUntil < now + keptMs;
}
