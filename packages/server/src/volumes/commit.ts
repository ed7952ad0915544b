/**
 * A commit: what it writes and takes away becomes the volume's newest state, all at once. Whoever commits last wins, path by
 * path; what a container has never seen it cannot take away.
 */
import type { Limits } from "../config.ts";
import type { Tx } from "../domain/store.ts";
import { type Entry, foldersAbove, folderOf, type KeptEntry, type Volume } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { type InUnit, page } from "./changes.ts";
import { knownVolume, nameOf } from "./known.ts";

export interface Change {
  /** The same change that comes again has the same one, and changes nothing. Undefined: its request is known by its own key. */
  key: string | undefined;
  madeBy: string;
  /**
   * Files and links that go; and folders, with a slash at the end, which go where nothing is left in them. The innermost
   * come first. What has become a folder, or a file, meanwhile is something else and stays.
   */
  removed: readonly string[];
  /** Folders come before what is in them. A folder that is written gives way to a file that is there. */
  written: readonly Entry[];
}

export type CommitLimits = Pick<Limits, "volumeEntries" | "volumeBytes" | "volumeFolder" | "volumeFile">;

/** Entries of a folder that are looked at in the time of any other step. */
const countedInStep = 10;

/** For folders that nobody has written: those above a file. */
const usualFolderMode = 0o755;

function checkSizes(volume: Volume, written: readonly Entry[], most: number): void {
  const large = written.find(({ size }) => size > most);
  if (large === undefined) return;
  const { path, size } = large;
  const text = `"${path}" has ${size} bytes; ${most} are the most of a file in volume ${nameOf(volume)}.`;
  throw fail("resourceExhausted", text, { hint: "Make several files of it, or ask the operator for a higher limit" });
}

function checkLimits(after: Volume, before: Volume, limits: Pick<Limits, "volumeEntries" | "volumeBytes">): void {
  const hint = "Remove files from it, or ask the operator for a higher limit";
  const most = after.version === 1 ? limits.volumeEntries : Number.POSITIVE_INFINITY;
  if (after.entries > most && after.entries > before.entries) {
    const text = `Volume ${nameOf(after)} would have ${after.entries} files and folders; ${most} are the most of one of version 1.`;
    throw fail("resourceExhausted", text, { hint });
  }
  const bytes = limits.volumeBytes ?? Number.POSITIVE_INFINITY;
  if (after.bytes > bytes && after.bytes > before.bytes) {
    const text = `Volume ${nameOf(after)} would hold ${after.bytes} bytes; ${bytes} are the most.`;
    throw fail("resourceExhausted", text, { hint });
  }
}

/** What it does is done in its order, some of it in each unit of work, and is seen by nobody before the last one. */
export class Commit {
  readonly #volume: Volume;
  readonly #change: Change;
  readonly #limits: CommitLimits;
  readonly #now: number;
  readonly #number: number;
  readonly #steps: AsyncGenerator<void, void>;
  /** Of the unit of work that is under way. */
  #tx: Tx | undefined;
  /** Folders that are known to be there. */
  readonly #folders = new Set<string>([""]);
  /** Folders that have new entries. */
  readonly #grown = new Set<string>();
  #entries = 0;
  #bytes = 0;
  #written = 0;
  #removed = 0;

  /** `volume`: as it is; nobody else changes its files until it is done. Throws resourceExhausted for a file that is too large. */
  constructor(volume: Volume, change: Change, limits: CommitLimits, now: number) {
    checkSizes(volume, change.written, limits.volumeFile);
    this.#volume = volume;
    this.#change = change;
    this.#limits = limits;
    this.#now = now;
    this.#number = volume.head + 1;
    this.#steps = this.#all();
  }

  /** About how many steps it has. */
  get size(): number {
    return this.#change.removed.length + this.#change.written.length;
  }

  /** The next steps, which nobody sees; false when none is left. */
  async go(tx: Tx, steps: number): Promise<boolean> {
    this.#tx = tx;
    for (let i = 0; i < steps; i++) if ((await this.#steps.next()).done === true) return false;
    return true;
  }

  /** What is left of it, and then shows it. Answers its number; undefined for one that changes nothing, which is none. */
  async finish(tx: Tx): Promise<number | undefined> {
    while (await this.go(tx, page));
    if (this.#written === 0 && this.#removed === 0) return undefined;
    const before = await knownVolume(tx, this.#volume.id);
    const after = {
      ...before,
      head: this.#number,
      entries: before.entries + this.#entries,
      bytes: before.bytes + this.#bytes,
    };
    checkLimits(after, before, this.#limits);
    await tx.volumes.put(after);
    await tx.volumes.addCommit({
      volumeId: after.id,
      number: after.head,
      key: this.#change.key ?? `#${after.head}`,
      madeAt: this.#now,
      madeBy: this.#change.madeBy,
      written: this.#written,
      removed: this.#removed,
    });
    tx.tell({ kind: "volumeCommitted", volumeId: after.id, number: after.head });
    return after.head;
  }

  async *#all(): AsyncGenerator<void, void> {
    for (const path of this.#change.removed) {
      yield* this.#remove(path);
      yield;
    }
    for (const entry of this.#change.written) {
      yield* this.#write(entry);
      yield;
    }
    yield* this.#checkWidths(this.#limits.volumeFolder);
  }

  get #volumes(): Tx["volumes"] {
    if (this.#tx === undefined) throw new Error("a commit is made in units of work");
    return this.#tx.volumes;
  }

  async #shown(path: string): Promise<KeptEntry | undefined> {
    return await this.#volumes.entry(this.#volume.id, path, this.#number);
  }

  /** Throws resourceExhausted where a folder has become too wide. */
  async *#checkWidths(most: number): AsyncGenerator<void, void> {
    const { id, version, entries } = this.#volume;
    if (version === 1 || entries + this.#entries <= most) return;
    for (const folder of this.#grown) {
      const width = await this.#volumes.width(id, folder, this.#number);
      for (let counted = 0; counted < width; counted += countedInStep) yield;
      if (width <= most) continue;
      const text = `Folder "/${folder}" of volume ${nameOf(this.#volume)} would have ${width} entries; ${most} are the most.`;
      throw fail("resourceExhausted", text, { hint: "Spread them over several folders" });
    }
  }

  async *#remove(removed: string): AsyncGenerator<void, void> {
    const isFolder = removed.endsWith("/");
    const path = isFolder ? removed.slice(0, -1) : removed;
    const found = await this.#shown(path);
    if (found === undefined || (found.kind === "folder") !== isFolder) return;
    if (isFolder && (yield* this.#hasChildren(path))) return;
    await this.#end(path);
    this.#removed++;
  }

  async *#write(entry: Entry): AsyncGenerator<void, void> {
    const found = await this.#shown(entry.path);
    if (entry.kind === "folder") {
      if (found !== undefined && found.kind !== "folder") return;
      for (const folder of foldersAbove(entry.path)) {
        if (this.#folders.has(folder)) continue;
        const above = await this.#shown(folder);
        if (above !== undefined && above.kind !== "folder") return;
      }
    }
    if (found !== undefined && isSame(found, entry)) return;
    await this.#makeFolders(entry.path);
    if (found?.kind === "folder" && entry.kind !== "folder") yield* this.#endBelow(entry.path);
    if (found === undefined) this.#grown.add(folderOf(entry.path));
    else await this.#end(entry.path);
    await this.#begin(entry);
    this.#written++;
  }

  async #makeFolders(path: string): Promise<void> {
    if (this.#folders.has(folderOf(path))) return;
    for (const folder of foldersAbove(path)) {
      if (this.#folders.has(folder)) continue;
      const found = await this.#shown(folder);
      if (found !== undefined && found.kind !== "folder") await this.#end(folder);
      if (found?.kind !== "folder") await this.#begin(newFolder(folder, this.#now));
      if (found === undefined) this.#grown.add(folderOf(folder));
      this.#folders.add(folder);
    }
  }

  async #begin(entry: Entry): Promise<void> {
    await this.#volumes.begin(this.#volume.id, entry, this.#number);
    this.#entries += 1;
    this.#bytes += entry.size;
  }

  async #end(path: string): Promise<void> {
    const ended = await this.#volumes.end(this.#volume.id, path, this.#number);
    if (ended === undefined) return;
    this.#folders.delete(path);
    this.#entries -= 1;
    this.#bytes -= ended.size;
  }

  async *#endBelow(folder: string): AsyncGenerator<void, void> {
    for (let after = ""; ;) {
      const found = await this.#volumes.below(this.#volume.id, folder, this.#number, { after, limit: page });
      for (const { path } of found) {
        await this.#end(path);
        yield;
      }
      if (found.length < page) return;
      after = found.at(-1)?.path ?? "";
    }
  }

  /** Those that have ended lie among them, and may be very many. */
  async *#hasChildren(folder: string): AsyncGenerator<void, boolean> {
    for (let after = { path: "", since: 0 }; ;) {
      const found = await this.#volumes.kept(this.#volume.id, folder, this.#number, { after, limit: page });
      if (found.some(({ isShown }) => isShown === 1)) return true;
      if (found.length < page) return false;
      for (let looked = 0; looked < page; looked += countedInStep) yield;
      after = found.at(-1) ?? after;
    }
  }
}

/** All below a folder in the state of a commit, by path. */
export async function allBelow(inUnit: InUnit, volumeId: string, folder: string, at: number): Promise<KeptEntry[]> {
  const all: KeptEntry[] = [];
  for (let after = ""; ; after = all.at(-1)?.path ?? "") {
    const from = after;
    const found = await inUnit((tx) => tx.volumes.below(volumeId, folder, at, { after: from, limit: page }));
    all.push(...found);
    if (found.length < page) return all;
  }
}

export function newFolder(path: string, now: number): Entry {
  const mode = usualFolderMode;
  return { path, kind: "folder", mode, mtime: now * 1000, size: 0, pieces: [], target: "" };
}

/** A folder's time is of no interest: it changes with what is in it. */
function isSame(one: Entry, other: Entry): boolean {
  if (one.mode !== other.mode || (one.kind !== "folder" && one.mtime !== other.mtime)) return false;
  return hasSameContent(one, other);
}

/** Whatever their rights and times are. */
export function hasSameContent(one: Entry, other: Entry): boolean {
  return (
    one.kind === other.kind &&
    one.size === other.size &&
    one.target === other.target &&
    one.pieces.length === other.pieces.length &&
    one.pieces.every(
      ({ sha256, offset, length }, i) =>
        sha256 === other.pieces[i]?.sha256 && offset === other.pieces[i]?.offset && length === other.pieces[i]?.length,
    )
  );
}
