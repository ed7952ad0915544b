/**
 * The server's content over a real store and a real folder, in a process that can be killed at each step that reaches the disk:
 * then nothing more happens, until it begins again with what is there.
 */
import { join } from "node:path";

import { Bells, silentLogger, tryLock } from "@lydian/kit";
import { type ManualClock, turns } from "@lydian/testkit";

import { ContentCollector } from "../../src/content/collect.ts";
import { ContentStore } from "../../src/content/content-store.ts";
import { DiskPlace } from "../../src/content/disk-place.ts";
import type { ContentPlace } from "../../src/content/place.ts";
import { removalLock } from "../../src/content/removal-lock.ts";
import { Unneeded } from "../../src/content/unneeded.ts";
import type { Store } from "../../src/domain/store.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { syncInATurn } from "../support/open-store.ts";

export class Killed extends Error {}

export const times = { contentKept: 24 * 3_600_000, volumeHistory: 6 * 3_600_000 };

export interface MortalContent {
  readonly store: Store;
  readonly content: ContentStore;
  readonly unneeded: Unneeded;
  readonly collector: ContentCollector;
  /** How many steps it has left to live. */
  live(steps: number): void;
  /** What happens before each removal of a file, instead of some turns. */
  onRemove(act: () => Promise<void>): void;
  readonly isDead: boolean;
  /** Gives back what a dead process does not hold, too. */
  bury(): Promise<void>;
}

export async function beginContent(
  folder: string,
  clock: ManualClock,
  files: ContentPlace = new DiskPlace(join(folder, "content")),
): Promise<MortalContent> {
  const disk = openStore(join(folder, "store.sqlite"), new Bells(), syncInATurn);
  let onRemove: () => Promise<void> = () => turns(3); // others have theirs meanwhile
  let left = Number.POSITIVE_INFINITY;
  const step = (): void => {
    if (left <= 0) throw new Killed("killed");
    left--;
  };
  /** Dies before it or after it, when nobody hears of it. */
  const mortally = async <T>(act: () => Promise<T>): Promise<T> => {
    step();
    const result = await act();
    step();
    return result;
  };
  const store: Store = {
    write: (unit) => mortally(() => disk.write(unit)),
    note: (unit) => mortally(() => disk.note(unit)),
    read: (unit) => disk.read(unit),
    snapshot: (unit) => disk.snapshot(unit),
    close: () => disk.close(),
  };
  const place: ContentPlace = {
    take: (file, sha256) => mortally(() => files.take(file, sha256)),
    remove: (sha256) =>
      mortally(async () => {
        await onRemove();
        await files.remove(sha256);
      }),
    size: (sha256) => files.size(sha256),
    open: (sha256) => files.open(sha256),
    list: () => files.list(),
    [Symbol.dispose]: () => files[Symbol.dispose](),
  };
  const unneeded = await Unneeded.load(store);
  const content = await ContentStore.open(join(folder, "content"), { place, wishes: unneeded });
  const room = async () => ({ free: 1, total: 1 });
  const lockRemovals = (): Disposable | undefined => tryLock(removalLock(folder));
  const collector = new ContentCollector({
    store,
    clock,
    content,
    unneeded,
    times,
    room,
    lockRemovals,
    log: silentLogger,
  });
  return {
    ...{ store, content, unneeded, collector },
    onRemove: (act) => void (onRemove = act),
    live: (steps) => void (left = steps),
    get isDead() {
      return left <= 0;
    },
    bury: async () => {
      await collector.close();
      await disk.close();
    },
  };
}
