/** What others have changed is here before a container asks for it, where one has asked a short while ago; else it is not fetched. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { ManualClock } from "@lydian/testkit";
import { FetchAhead } from "@lydian/worker/src/volumes/fetch-ahead";
import type { VolumeServer } from "@lydian/worker/src/volumes/volume-server";

import { needsRoot, VolumeRig } from "./support.ts";

test(
  "who reloads or begins soon after finds the new state; what nobody asks for is left alone",
  needsRoot,
  async () => {
    await using rig = await VolumeRig.open();
    const { server, logger } = rig.deps;
    /** How often the worker has asked the server for files. */
    let asked = 0;
    const counting = new Proxy(server, {
      get: (target, name: keyof VolumeServer) => {
        const value: unknown = target[name];
        if (typeof value !== "function") return value;
        if (name === "get") asked++;
        return value.bind(target) as unknown;
      },
    });
    const deps = await rig.anotherWorker(counting);
    const clock = new ManualClock();
    const ahead = new FetchAhead({ trees: deps.trees, clock, logger });
    const one = await rig.begin();
    const commit = async (text: string): Promise<number> => {
      writeFileSync(join(one.data, "a"), text);
      await one.volume.commit();
      return await server.head(rig.volumeId);
    };

    const first = await commit("first");
    await ahead.changed(rig.volumeId, first);
    assert.equal(asked, 0, "nobody has asked for it");

    ahead.asked(rig.volumeId);
    const other = await rig.begin(undefined, deps);
    const second = await commit("second");
    asked = 0;
    await ahead.changed(rig.volumeId, second);
    assert.ok(asked > 0, "it was not fetched");
    asked = 0;
    await other.volume.reload(second);
    assert.equal(asked, 0, "it was fetched again");
    assert.equal(readFileSync(join(other.data, "a"), "utf8"), "second");

    await clock.advance(10 * 60_000);
    await ahead.changed(rig.volumeId, await commit("third"));
    assert.equal(asked, 0, "nobody has asked for it in a while");
  },
);

test("who begins with a commit that is here asks for nothing; with a newer one for that", needsRoot, async () => {
  await using rig = await VolumeRig.open();
  const { server, logger } = rig.deps;
  let asked = 0;
  const counting = new Proxy(server, {
    get: (target, name: keyof VolumeServer) => {
      const value: unknown = target[name];
      if (typeof value !== "function") return value;
      asked++;
      return value.bind(target) as unknown;
    },
  });
  const deps = await rig.anotherWorker(counting);
  const ahead = new FetchAhead({ trees: deps.trees, clock: new ManualClock(), logger });
  assert.equal(ahead.asked(rig.volumeId), 0);
  const one = await rig.begin();
  const commit = async (text: string): Promise<number> => {
    writeFileSync(join(one.data, "a"), text);
    await one.volume.commit();
    return await server.head(rig.volumeId);
  };
  const first = await commit("first");
  await ahead.changed(rig.volumeId, first);
  assert.equal(ahead.asked(rig.volumeId), first);
  asked = 0;
  const other = await rig.begin(undefined, deps, first);
  assert.equal(asked, 0, "it has that commit");
  assert.equal(readFileSync(join(other.data, "a"), "utf8"), "first");
  const third = await rig.begin(undefined, deps, await commit("second"));
  assert.ok(asked > 0, "it has not that one");
  assert.equal(readFileSync(join(third.data, "a"), "utf8"), "second");
});
