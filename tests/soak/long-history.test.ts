/**
 * A volume of very many commits: who mounts or reloads it gets few layers whatever its history is, every state that is kept can be
 * brought back, and what is kept no more leaves nothing in the store. `LYDIAN_COMMITS` says how many.
 */
import assert from "node:assert/strict";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";

import { readsOf } from "@lydian/server/src/volumes/changes";
import { forgetHistory, wayBack } from "@lydian/server/src/volumes/history";
import { knownVolume } from "@lydian/server/src/volumes/known";

import { needsRoot, VolumeRig } from "../host/volumes/support.ts";

const commits = Number(process.env["LYDIAN_COMMITS"] ?? "500");

/** As a state is mounted: more would make each name slower to find. */
const mostLayers = 9;

test(
  `${commits} commits leave few layers, states to go back to, and rows of what is kept`,
  needsRoot,
  async (context) => {
    await using rig = await VolumeRig.open();
    const one = await rig.begin();
    const other = await rig.begin();
    const at = (name: string): string => join(one.data, name);
    for (let i = 0; i < commits; i++) {
      writeFileSync(at("counter"), `${i}`);
      writeFileSync(at(`file-${i}`), `${i}`);
      if (i >= 10) rmSync(at(`file-${i - 10}`));
      await one.volume.commit();
      if (i % 50 === 0) await other.volume.reload();
    }
    await one.volume.idle();
    const timed = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
      const begin = performance.now();
      const value = await act();
      context.diagnostic(`${what}: ${(performance.now() - begin).toFixed(1)} ms`);
      return value;
    };
    const shows = (data: string): string[] => readdirSync(data).toSorted();
    const wanted = ["counter", ...Array.from({ length: 10 }, (_, i) => `file-${commits - 10 + i}`)].toSorted();

    await timed("a reload", () => other.volume.reload());
    const soon = await timed("the start of a container", () => rig.begin());
    const deps = await rig.anotherWorker();
    const elsewhere = await timed("the first start on another worker", () => rig.begin(undefined, deps));
    for (const container of [other, soon, elsewhere]) {
      assert.deepEqual(shows(container.data), wanted);
      assert.equal(readFileSync(join(container.data, "counter"), "utf8"), `${commits - 1}`);
      const { state, sealed } = container.volume.record.mounted;
      assert.ok(state.layers.length + sealed.length <= mostLayers, `${state.layers.length} layers`);
    }

    const { store } = rig;
    const volume = await store.read((tx) => knownVolume(tx, rig.volumeId));
    const back = await timed("the way back to the first state", () => wayBack(readsOf(store), volume, 1));
    assert.deepEqual(back.written.map(({ path }) => path).toSorted(), ["counter", "file-0"]);
    assert.equal(back.removed.length, 10);

    const now = Date.now() + 30 * 86_400_000;
    await timed("forgetting", () => forgetHistory(store, { time: now, now }, new AbortController().signal));
    const database = new DatabaseSync(join(rig.folder, "store.sqlite"), { readOnly: true });
    const count = (what: string): number =>
      (database.prepare(`SELECT count(*) AS count FROM ${what}`).get() as { count: number }).count;
    const rows = {
      commits: count("volume_commits"),
      shown: count("volume_entries WHERE until IS NULL"),
      withContent: count("volume_entries WHERE length(content) > 0"),
    };
    database.close();
    assert.deepEqual(rows, { commits: 1, shown: 11, withContent: 11 });
    await elsewhere.volume.reload();
    assert.deepEqual(shows(elsewhere.data), wanted);
  },
);
