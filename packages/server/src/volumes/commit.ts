/**
 * A commit: what it writes and takes away becomes the volume's newest state, in one unit of work. Whoever commits last
 * wins, path by path; what a container has never seen it cannot take away.
 */
import type { Limits } from "../config.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import { type Entry, foldersAbove, folderOf, type KeptEntry, type Volume } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { page } from "./changes.ts";
import { nameOf } from "./known.ts";

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

/** For folders that nobody has written: those above a file. */
const usualFolderMode = 0o755;

/** Answers the number of the commit; undefined for one that changes nothing, which is none. */
export async function commit(
  tx: Tx,
  volume: Volume,
  change: Change,
  limits: Pick<Limits, "volumeEntries" | "volumeBytes" | "volumeFolder" | "volumeFile">,
  context: Context,
): Promise<number | undefined> {
  const repeated = change.key === undefined ? undefined : await tx.volumes.commitOf(volume.id, change.key);
  if (repeated !== undefined) return repeated;
  const commit = new Commit(tx, volume, context.now);
  checkSizes(volume, change.written, limits.volumeFile);
  for (const path of change.removed) await commit.remove(path);
  for (const entry of change.written) await commit.write(entry);
  if (commit.isEmpty) return undefined;
  await commit.checkWidths(limits.volumeFolder);
  const after = commit.after;
  checkLimits(after, volume, limits);
  await tx.volumes.put(after);
  await tx.volumes.addCommit({
    volumeId: volume.id,
    number: after.head,
    key: change.key ?? `#${after.head}`,
    madeAt: context.now,
    madeBy: change.madeBy,
    written: commit.written,
    removed: commit.removed,
  });
  tx.tell({ kind: "volumeCommitted", volumeId: volume.id, number: after.head });
  return after.head;
}

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

class Commit {
  readonly #tx: Tx;
  readonly #volume: Volume;
  readonly #number: number;
  readonly #now: number;
  /** Folders that are known to be there. */
  readonly #folders = new Set<string>([""]);
  /** Folders that have new entries. */
  readonly #grown = new Set<string>();
  #entries = 0;
  #bytes = 0;
  written = 0;
  removed = 0;

  constructor(tx: Tx, volume: Volume, now: number) {
    this.#tx = tx;
    this.#volume = volume;
    this.#number = volume.head + 1;
    this.#now = now;
  }

  get isEmpty(): boolean {
    return this.written === 0 && this.removed === 0;
  }

  /** The volume as it is with this commit. */
  get after(): Volume {
    const { entries, bytes } = this.#volume;
    return { ...this.#volume, head: this.#number, entries: entries + this.#entries, bytes: bytes + this.#bytes };
  }

  /** Throws resourceExhausted where a folder has become too wide. */
  async checkWidths(most: number): Promise<void> {
    const { id, version } = this.#volume;
    if (version === 1) return;
    for (const folder of this.#grown) {
      const width = await this.#tx.volumes.width(id, folder, this.#number);
      if (width <= most) continue;
      const text = `Folder "/${folder}" of volume ${nameOf(this.#volume)} would have ${width} entries; ${most} are the most.`;
      throw fail("resourceExhausted", text, { hint: "Spread them over several folders" });
    }
  }

  async remove(removed: string): Promise<void> {
    const { volumes } = this.#tx;
    const isFolder = removed.endsWith("/");
    const path = isFolder ? removed.slice(0, -1) : removed;
    const found = await volumes.entry(this.#volume.id, path);
    if (found === undefined || (found.kind === "folder") !== isFolder) return;
    if (isFolder && (await this.#hasChildren(path))) return;
    await this.#end(path);
    this.removed++;
  }

  async write(entry: Entry): Promise<void> {
    const { id } = this.#volume;
    const found = await this.#tx.volumes.entry(id, entry.path);
    if (entry.kind === "folder") {
      if (found !== undefined && found.kind !== "folder") return;
      for (const folder of foldersAbove(entry.path)) {
        if (this.#folders.has(folder)) continue;
        const above = await this.#tx.volumes.entry(id, folder);
        if (above !== undefined && above.kind !== "folder") return;
      }
    }
    if (found !== undefined && isSame(found, entry)) return;
    await this.#makeFolders(entry.path);
    if (found?.kind === "folder" && entry.kind !== "folder") await this.#endBelow(entry.path);
    if (found === undefined) this.#grown.add(folderOf(entry.path));
    else await this.#end(entry.path);
    await this.#begin(entry);
    this.written++;
  }

  async #makeFolders(path: string): Promise<void> {
    if (this.#folders.has(folderOf(path))) return;
    for (const folder of foldersAbove(path)) {
      if (this.#folders.has(folder)) continue;
      const found = await this.#tx.volumes.entry(this.#volume.id, folder);
      if (found !== undefined && found.kind !== "folder") await this.#end(folder);
      if (found?.kind !== "folder") await this.#begin(newFolder(folder, this.#now));
      if (found === undefined) this.#grown.add(folderOf(folder));
      this.#folders.add(folder);
    }
  }

  async #begin(entry: Entry): Promise<void> {
    await this.#tx.volumes.begin(this.#volume.id, entry, this.#number);
    this.#entries += 1;
    this.#bytes += entry.size;
  }

  async #end(path: string): Promise<void> {
    const ended = await this.#tx.volumes.end(this.#volume.id, path, this.#number);
    if (ended === undefined) return;
    this.#folders.delete(path);
    this.#entries -= 1;
    this.#bytes -= ended.size;
  }

  async #endBelow(folder: string): Promise<void> {
    for (const { path } of await allBelow(this.#tx, this.#volume.id, folder, this.#number)) await this.#end(path);
  }

  async #hasChildren(folder: string): Promise<boolean> {
    const { id } = this.#volume;
    return (await this.#tx.volumes.children(id, folder, this.#number, { after: "", limit: 1 })).length > 0;
  }
}

/** All below a folder in the state of a commit, by path. */
export async function allBelow(tx: Tx, volumeId: string, folder: string, at: number): Promise<KeptEntry[]> {
  const all: KeptEntry[] = [];
  for (let after = ""; ; after = all.at(-1)?.path ?? "") {
    const found = await tx.volumes.below(volumeId, folder, at, { after, limit: page });
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
