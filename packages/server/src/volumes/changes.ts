/** What leads from one state of a volume to another, a page at a time. A state never changes, so nor does this. */
import type { CommitRange, EntryPlace, Store, Tx } from "../domain/store.ts";
import type { KeptEntry, Volume } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { knownVolume, nameOf } from "./known.ts";

/** How many entries are read at a time. */
export const page = 1000;

/** Runs a unit of work: each its own one, or all in one. */
export type InUnit = <T>(unit: (tx: Tx) => Promise<T>) => Promise<T>;

/** One unit after the other, each of its own moment; others have their turn between any two. */
export function readsOf(store: Store): InUnit {
  return async (unit) => {
    const value = await store.read(unit);
    await new Promise((resolve) => setImmediate(resolve));
    return value;
  };
}

export type ChangePage = { readonly ended: readonly EntryPlace[] } | { readonly begun: readonly KeptEntry[] };

/** First the paths that show nothing any more. Throws gone when the later state is forgotten, also meanwhile. */
export async function* changePages(inUnit: InUnit, volumeId: string, range: CommitRange): AsyncGenerator<ChangePage> {
  const read = <T>(unit: (tx: Tx) => Promise<T>): Promise<T> =>
    inUnit(async (tx) => {
      checkKept(await knownVolume(tx, volumeId), range.to);
      return await unit(tx);
    });
  const start: EntryPlace = { number: 0, path: "" };
  for (let after = start; ;) {
    const from = after;
    const ended = await read((tx) => tx.volumes.ended(volumeId, range, from, page));
    yield { ended };
    if (ended.length < page) break;
    after = ended.at(-1) ?? start;
  }
  for (let after = start; ;) {
    const from = after;
    const begun = await read((tx) => tx.volumes.begun(volumeId, range, from, page));
    yield { begun };
    if (begun.length < page) break;
    const { since: number, path } = begun.at(-1) ?? { since: 0, path: "" };
    after = { number, path };
  }
}

/** Throws notFound for a commit that was never made, gone for one of which the state is forgotten. */
export function checkKept(volume: Volume, commit: number): void {
  const { head, oldest } = volume;
  if (commit > head) {
    throw fail("notFound", `Volume ${nameOf(volume)} has no commit ${commit}: its newest one is ${head}.`);
  }
  if (commit >= oldest) return;
  throw fail("gone", `What volume ${nameOf(volume)} showed after commit ${commit} is not kept any more.`, {
    hint: `The oldest state that is kept is ${oldest}; \`lydian up --times\` says by volumeHistory how long`,
  });
}
