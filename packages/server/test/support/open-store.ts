/** A real store in a folder of its own. */
import { join } from "node:path";

import { Bells, type NewId } from "@lydian/kit";
import { ManualClock, predictableIds, temporaryFolder } from "@lydian/testkit";

import type { Context } from "../../src/domain/context.ts";
import type { Hear } from "../../src/domain/happening.ts";
import type { Store, Tx } from "../../src/domain/store.ts";
import { KeyRing } from "../../src/secrets/key-ring.ts";
import { Vault } from "../../src/secrets/vault.ts";
import { openStore } from "../../src/store/sqlite.ts";
import type { Sync } from "../../src/store/write-ahead-log.ts";
import { assertInvariants } from "./invariants.ts";

/** Within a turn of the event loop, as the manual clock waits for nothing else: as slow as a disk in order, not in time. */
export const syncInATurn: Sync = (_descriptor, done) => void setImmediate(done, null);

export interface TestStore extends AsyncDisposable {
  readonly folder: string;
  readonly file: string;
  readonly bells: Bells;
  readonly clock: ManualClock;
  readonly newId: NewId;
  readonly store: Store;
  readonly vault: Vault;
  /** One unit of work at the clock's present time; the database must be sound afterwards. */
  does<T>(unit: (tx: Tx, context: Context) => Promise<T>): Promise<T>;
}

/** `hear` is told what is committed. */
export async function testStore(hear?: Hear): Promise<TestStore> {
  const folder = await temporaryFolder();
  const file = join(folder.path, "store.sqlite");
  const bells = new Bells();
  const clock = new ManualClock();
  const newId = predictableIds();
  const store = openStore(file, bells, syncInATurn, hear);
  const vault = new Vault(await KeyRing.load(join(folder.path, "secrets-key"), undefined), store);
  return {
    folder: folder.path,
    file,
    bells,
    clock,
    newId,
    store,
    vault,
    does: async (unit) => {
      const value = await store.write((tx) => unit(tx, { now: clock.now(), newId }));
      assertInvariants(file);
      return value;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** How often a bell rings from now on; `stop` ends the count. */
export function countRings(bells: Bells, key: string): { readonly count: number; stop(): Promise<void> } {
  const enough = new AbortController();
  let looks = 0;
  const clock = new ManualClock();
  const waiting = bells
    .until([key], async () => void looks++, { clock, waitMs: Number.MAX_SAFE_INTEGER, signal: enough.signal })
    .catch(() => {});
  return {
    get count() {
      return looks - 1; // the first look needs no ring
    },
    stop: async () => {
      enough.abort(new Error("enough"));
      await waiting;
    },
  };
}
