/** What volumes were like before: their commits, what is different between two states, the way back, and forgetting. */
import type { Store, Tx } from "../domain/store.ts";
import type { Entry, KeptEntry, Volume } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";
import { changePages, checkKept, type InUnit, readsOf } from "./changes.ts";
import { type Change, hasSameContent } from "./commit.ts";
import { knownVolume } from "./known.ts";

/** By its name, or by its id. Throws notFound. */
export async function namedVolume(tx: Tx, name: string, environmentName: string): Promise<Volume> {
  const environment = await findEnvironment(tx, environmentName);
  const found = await tx.volumes.named(environment.id, name);
  if (found !== undefined) return found;
  if (name.startsWith("vo-")) return await knownVolume(tx, name);
  throw fail("notFound", `Volume "${name}" does not exist in environment "${environment.name}".`, {
    hint: "`modal volume list` shows those that do",
  });
}

export interface PathChange {
  path: string;
  before: Entry | undefined;
  after: Entry | undefined;
  /** Only its rights or its time are others. */
  sameContent: boolean;
}

/** What is different between two states, by path; so many paths of it, when there are more. Throws as `checkKept` does. */
export async function differences(
  store: Store,
  volume: Volume,
  { from, to }: { from: number; to: number },
  limit: number,
): Promise<{ changes: PathChange[]; more: boolean }> {
  checkKept(volume, from);
  checkKept(volume, to);
  const range = { from: Math.min(from, to), to: Math.max(from, to) };
  const changes: PathChange[] = [];
  for await (const page of changePages(readsOf(store), volume.id, range)) {
    const later = "begun" in page ? page.begun : page.ended;
    const found = await store.read(async (tx) => {
      checkKept(await knownVolume(tx, volume.id), range.from);
      return await Promise.all(later.map(({ path }) => tx.volumes.entry(volume.id, path, range.from)));
    });
    for (const [i, each] of later.entries()) {
      const [earlier, now] = [found[i], "kind" in each ? each : undefined];
      const [before, after] = from <= to ? [earlier, now] : [now, earlier];
      changes.push({ path: each.path, before, after, sameContent: isSame(before, after) });
    }
    if (changes.length > limit) break;
  }
  const sorted = changes.slice(0, limit).toSorted((one, other) => (one.path < other.path ? -1 : 1));
  return { changes: sorted, more: changes.length > limit };
}

function isSame(before: Entry | undefined, after: Entry | undefined): boolean {
  return before !== undefined && after !== undefined && hasSameContent(before, after);
}

/** The change that makes of the newest state what the volume showed after this commit. Throws as `checkKept` does. */
export async function wayBack(
  inUnit: InUnit,
  volume: Volume,
  to: number,
): Promise<Pick<Change, "written" | "removed">> {
  checkKept(volume, to);
  const written: KeptEntry[] = [];
  const removed: string[] = [];
  const range = { from: to, to: volume.head };
  for await (const page of changePages(inUnit, volume.id, range)) {
    const changed = "begun" in page ? page.begun : page.ended;
    const before = await inUnit((tx) => Promise.all(changed.map(({ path }) => tx.volumes.entry(volume.id, path, to))));
    for (const [i, each] of changed.entries()) {
      const then = before[i];
      if (then !== undefined) written.push(then);
      // A file that gives way to a folder goes first; a folder that gives way to a file goes by itself.
      if ("kind" in each && (then === undefined || (each.kind !== "folder" && then.kind === "folder")))
        removed.push(each.kind === "folder" ? `${each.path}/` : each.path);
    }
  }
  return { written: byDepth(written, ({ path }) => path), removed: byDepth(removed, plain).toReversed() };
}

const plain = (path: string): string => (path.endsWith("/") ? path.slice(0, -1) : path);

/** Folders before what is in them. */
function byDepth<T>(all: readonly T[], pathOf: (each: T) => string): T[] {
  const depths: T[][] = [];
  for (const each of all) (depths[pathOf(each).split("/").length] ??= []).push(each);
  return depths.flat();
}

/** A worker may ask so long whether the commit was made of which it has heard no reply. */
const commitsKeptMs = 7 * 86_400_000;

/** Rows, commits or volumes in one unit of work. */
const portion = 200;

/**
 * Forgets volumes that are deleted, states of others that were not the newest any more at this time, and what only those
 * showed, a portion at a time.
 */
export async function forgetHistory(
  store: Store,
  at: { time: number; now: number },
  signal: AbortSignal,
): Promise<void> {
  for (let after: string | undefined = ""; after !== undefined && !signal.aborted;) {
    const from: string = after;
    after = await store.write((tx) => forgetStates(tx, at, from, portion));
  }
  for (const act of ["forget", "trim"] as const) {
    while (!signal.aborted && (await store.write((tx) => tx.volumes[act](portion))) === portion);
  }
}

/** A portion of states and commits of volumes after this id; answers after which one to go on, undefined behind the last. */
export async function forgetStates(
  tx: Tx,
  { time, now }: { time: number; now: number },
  after: string,
  limit: number,
): Promise<string | undefined> {
  const volumes = await tx.volumes.withHistory(after, limit);
  const before = now - commitsKeptMs;
  let [done, work] = [after, 0];
  for (const { id, oldest } of volumes) {
    const rows = await tx.volumes.forgetCommits({ id, oldest }, before, limit);
    if (rows === limit) return done; // there may be more, which nobody would look for once the newest state is the oldest
    const next = await tx.volumes.stateAt({ id, oldest }, time, limit);
    if (next > oldest) {
      await tx.volumes.setOldest(id, next);
      await tx.volumes.forgetCommits({ id, oldest: next }, before, limit);
    }
    if (next - oldest === limit) return done;
    done = id;
    work += rows + next - oldest;
    if (work >= limit) return done;
  }
  return volumes.length < limit ? undefined : done;
}
