/**
 * Commits that have returned while their files are on their way to the server: kept on this disk, each with all that it needs,
 * so that it is made whatever dies meanwhile, and also after a power cut. The server knows of them, and shows nobody the volume
 * until they are there; here nobody asks it for the volume until then.
 */
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join, relative } from "node:path";

import { hasCode, type Logger, namesIn, removeBelow, textOf, writeDurably } from "@lydian/kit";

import { currentBoot } from "../boot.ts";
import type { Change } from "./change.ts";
import type { WrittenPath } from "./difference.ts";

export interface OwedCommit {
  readonly volumeId: string;
  readonly containerId: string;
  readonly key: string;
  /** Has `u` in it, an upper in which all that the change writes lies. */
  readonly upper: string;
  readonly change: Change;
}

/** The path of the upper is relative to the folder of all that is owed, those of files to the upper. */
interface Saved extends Omit<OwedCommit, "change"> {
  readonly boot: string;
  readonly removed: readonly string[];
  readonly written: readonly (readonly [string, WrittenPath])[];
}

interface Owed {
  readonly commit: OwedCommit;
  readonly paid: PromiseWithResolvers<void>;
}

const recordEnd = ".json";

export class OwedCommits {
  readonly #folder: string;
  readonly #boot: string;
  readonly #sync: (folder: string) => Promise<void>;
  /** By volume: there is one at most. */
  readonly #owed = new Map<string, Owed>();
  /** Of containers that are gone. */
  readonly orphans: OwedCommit[] = [];

  private constructor(folder: string, boot: string, sync: (folder: string) => Promise<void>) {
    this.#folder = folder;
    this.#boot = boot;
    this.#sync = sync;
  }

  /**
   * On the disk of the uppers. Those of an earlier boot are taken out of their containers' folders. `sync` brings to disk what
   * lies in a folder.
   */
  static async open(
    folder: string,
    { logger, sync, boot = currentBoot }: { logger: Logger; sync: (folder: string) => Promise<void>; boot?: string },
  ): Promise<OwedCommits> {
    const commits = new OwedCommits(folder, boot, sync);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = (await readdir(folder)).filter((name) => name.endsWith(recordEnd));
    for (const name of names) {
      const saved = JSON.parse((await textOf(join(folder, name))) ?? "") as Saved;
      const { volumeId, isOrphan } = await commits.#load(saved);
      if (isOrphan) logger.info({ volume: volumeId }, "a commit is made that had returned before its container went");
    }
    return commits;
  }

  of(volumeId: string): OwedCommit | undefined {
    return this.#owed.get(volumeId)?.commit;
  }

  get keys(): string[] {
    return [...this.#owed.values()].map(({ commit }) => commit.key);
  }

  /** Resolves when nothing is owed to the volume. */
  async settled(volumeId: string): Promise<void> {
    await this.#owed.get(volumeId)?.paid.promise;
  }

  /** Brings one to disk and keeps it, when `ask` answers that it may be owed. */
  async owe(commit: OwedCommit, ask: () => Promise<boolean>): Promise<boolean> {
    await this.#save(commit);
    let isGranted = false;
    try {
      isGranted = await ask();
    } finally {
      if (!isGranted) await rm(this.#fileOf(commit), { force: true });
    }
    if (isGranted) this.#put(commit);
    return isGranted;
  }

  /** It is made, or cannot be made any more. */
  async paid(commit: OwedCommit): Promise<void> {
    await rm(this.#fileOf(commit), { force: true });
    await removeBelow(this.#folder, this.#placeOf(commit));
    this.#owed.get(commit.volumeId)?.paid.resolve();
    this.#owed.delete(commit.volumeId);
  }

  /** Its container goes, and what lies in that one's folder with it. */
  async leave(commit: OwedCommit): Promise<OwedCommit> {
    const upper = this.#placeOf(commit);
    await moved(commit.upper, upper);
    const paths = [...commit.change.written].map(
      ([path, each]) => [path, { ...each, file: join(upper, relative(commit.upper, each.file)) }] as const,
    );
    const left = { ...commit, upper, change: { ...commit.change, written: new Map(paths) } };
    const owed = this.#owed.get(commit.volumeId);
    if (owed !== undefined) this.#owed.set(commit.volumeId, { ...owed, commit: left });
    return left;
  }

  #put(commit: OwedCommit): void {
    this.#owed.set(commit.volumeId, { commit, paid: Promise.withResolvers() });
  }

  async #load({ boot, removed, written, ...saved }: Saved): Promise<{ volumeId: string; isOrphan: boolean }> {
    const { volumeId } = saved;
    const [there, place] = [join(this.#folder, saved.upper), this.#placeOf(saved)];
    const isOrphan = boot !== this.#boot || (await namesIn(place)).length > 0;
    if (isOrphan) await moved(there, place);
    const upper = isOrphan ? place : there;
    const paths = written.map(([path, each]) => [path, { ...each, file: join(upper, "u", each.file) }] as const);
    const commit = { ...saved, upper, change: { removed, written: new Map(paths) } };
    this.#put(commit);
    if (isOrphan) this.orphans.push(commit);
    return { volumeId, isOrphan };
  }

  async #save({ change, ...commit }: OwedCommit): Promise<void> {
    const files = join(commit.upper, "u", "/");
    const written = [...change.written].map(
      ([path, each]) => [path, { ...each, file: each.file.slice(files.length) }] as const,
    );
    const upper = relative(this.#folder, commit.upper);
    const saved: Saved = { ...commit, upper, boot: this.#boot, removed: change.removed, written };
    await writeDurably(this.#fileOf(commit), async (handle) => {
      // A record that is there is of files that are: it gets its name last.
      await Promise.all([this.#sync(commit.upper), handle.writeFile(JSON.stringify(saved))]);
    });
  }

  #fileOf({ volumeId }: Pick<OwedCommit, "volumeId">): string {
    return join(this.#folder, `${volumeId}${recordEnd}`);
  }

  #placeOf({ volumeId }: Pick<OwedCommit, "volumeId">): string {
    return join(this.#folder, volumeId);
  }
}

/** Twice does no harm. */
async function moved(folder: string, to: string): Promise<void> {
  await rename(folder, to).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT")) throw error;
  });
}

/** What a server needs to know of a commit to let it be owed. */
export interface OwedSize {
  readonly paths: number;
  readonly bytes: number;
  readonly largest: number;
  readonly folders: readonly (readonly [string, number])[];
}

export function sizeOf({ written }: Change): OwedSize {
  const folders = new Map<string, number>();
  const size = { paths: written.size, bytes: 0, largest: 0 };
  for (const [path, each] of written) {
    size.bytes += each.size;
    size.largest = Math.max(size.largest, each.size);
    const folder = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    folders.set(folder, (folders.get(folder) ?? 0) + 1);
  }
  return { ...size, folders: [...folders] };
}

/** A commit of less is soon made. */
export interface OwedFrom {
  readonly bytes: number;
  readonly paths: number;
}

export const usualOwedFrom: OwedFrom = { bytes: 16 * 1024 * 1024, paths: 500 };

/** More is too much for one record. */
const mostPaths = 100_000;

/** Whether it is worth the while, and the files lie where they are kept. */
export function mayBeOwed(
  { written }: Change,
  { paths, bytes }: OwedSize,
  { upper, from }: { upper: string; from: OwedFrom },
): boolean {
  if ((bytes < from.bytes && paths < from.paths) || paths > mostPaths) return false;
  const files = join(upper, "u", "/");
  return [...written.values()].every(({ file }) => file.startsWith(files));
}
