/** A volume in a real store, with files of which the content is known by a number. */
import type { Store, Tx } from "../../src/domain/store.ts";
import type { Entry, Volume } from "../../src/domain/volume.ts";
import { limitsSchema } from "../../src/config.ts";
import { allBelow, type Change } from "../../src/volumes/commit.ts";
import { knownVolume } from "../../src/volumes/known.ts";
import { getOrCreateVolume } from "../../src/volumes/manage.ts";
import { VolumeChanges } from "../../src/volumes/volume-changes.ts";
import { testStore } from "../support/open-store.ts";

const limits = limitsSchema.parse({});

export function file(path: string, content: number): Entry {
  const sha256 = content.toString(16).padStart(64, "0");
  const pieces = [{ sha256, offset: 0, length: 3 }];
  return { path, kind: "file", mode: 0o644, mtime: content, size: 3, pieces, target: "" };
}

/** How it is shown: a folder with a slash at its end, a file with its number. */
export function shown({ path, kind, mtime }: Entry): string {
  return kind === "folder" ? `${path}/` : `${path}=${mtime}`;
}

export async function volumeScene(own: Partial<typeof limits> = {}, version: 1 | 2 = 1) {
  const test = await testStore();
  const volume = await test.does(async (tx, context) => {
    await tx.identity.putEnvironment({ id: "en-1", name: "main", webSuffix: "", createdAt: 0 });
    const request = { creation: "ifMissing", name: "data", environment: "main", version, createdBy: "me" } as const;
    return await getOrCreateVolume(tx, request, context);
  });
  const known = (tx: Tx): Promise<Volume> => knownVolume(tx, volume.id);
  const knownCommit = async (tx: Tx, { key }: Change): Promise<number | undefined> =>
    key === undefined ? undefined : await tx.volumes.commitOf(volume.id, key);
  const through = (store: Store) => {
    const changes = new VolumeChanges({ ...test, store, limits: { ...limits, ...own } });
    return async (change: Partial<Change>): Promise<number | undefined> => {
      const whole = { key: undefined, madeBy: "me", removed: [], written: [], ...change };
      return await changes.make({
        volumeId: volume.id,
        isKnown: async (tx) => (await knownCommit(tx, whole)) !== undefined,
        find: async () => whole,
        finish: (unit) => test.does(async (tx) => (await knownCommit(tx, whole)) ?? (await unit(tx))),
      });
    };
  };
  return {
    test,
    id: volume.id,
    commits: through(test.store),
    /** Commits through another store. */
    withStore: through,
    volume: (): Promise<Volume> => test.does(known),
    shows: (at?: number): Promise<string[]> =>
      test.does(async (tx) => {
        const { id, head } = await known(tx);
        return (await allBelow((unit) => unit(tx), id, "", at ?? head)).map(shown);
      }),
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  };
}
