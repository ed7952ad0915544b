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

/** Contents of dicts, by the dicts' numbers. What is over at `now` is not there. */
export interface Dicts {
  get(dict: number, key: Uint8Array, now: number): Promise<StoredEntry | undefined>;
  /** Until when an entry is kept, for whom its value does not matter. */
  has(dict: number, key: Uint8Array, now: number): Promise<Pick<StoredEntry, "keptUntil"> | undefined>;
  /** Inserts or replaces. */
  put(dict: number, entry: StoredEntry): Promise<void>;
  remove(dict: number, key: Uint8Array): Promise<void>;
  /** Those of these keys that would be kept for a shorter time. */
  keep(dict: number, keys: readonly Uint8Array[], until: number): Promise<void>;
  /** How many there are, counted up to the limit. */
  count(dict: number, now: number, limit: number): Promise<number>;
  /** Those after this key, in their order, until they have so many bytes; values are empty unless they are asked for. */
  after(dict: number, key: Uint8Array | undefined, portion: DictPortion, now: number): Promise<StoredEntry[]>;
  /** Removes what is under this number; answers how many entries went. */
  removeAll(dict: number, limit: number): Promise<number>;
  /** Removes what is over; answers how many entries went. */
  forget(now: number, limit: number): Promise<number>;
}

export interface DictPortion {
  withValues: boolean;
  bytes: number;
}
