/** What nothing needs goes, and what anything needs is there at every moment, whatever happens and whoever is killed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { seededRandom, turns } from "@lydian/testkit";

import { forgetCall } from "../../src/calls/sweep.ts";
import { bytesOf, contentScene } from "./content-scene.ts";
import { times } from "./mortal-content.ts";
import { randomLife } from "./random-life.ts";

const hour = 3_600_000;

describe("content that nothing needs", () => {
  it("goes a whole time after a look has found that, and not when somebody has asked for it meanwhile", async () => {
    await using opened = await contentScene();
    const { it: own } = opened;
    const [kept, gone] = [await own.upload(), await own.upload()];
    const collect = () => own.server.collector.collect({ isDry: false });
    assert.deepEqual((await collect()).waiting, { files: 2, bytes: 18 });
    await own.clock.advance(times.contentKept - 1);
    assert.equal((await collect()).removed.files, 0);
    await own.revive(); // what is noted stays noted
    assert.deepEqual(await own.server.content.missing([kept]), []);
    await own.clock.advance(1);
    const dry = await own.server.collector.collect({ isDry: true });
    assert.deepEqual([dry.removed, await own.there()], [{ files: 1, bytes: 9 }, new Set([kept, gone])]);
    assert.deepEqual((await collect()).removed, { files: 1, bytes: 9 });
    assert.deepEqual(await own.there(), new Set([kept]));
    await own.clock.advance(hour);
    assert.equal(
      (await own.server.collector.collect({ isDry: false, unneededMs: 0 })).removed.files,
      1,
      "an hour at least",
    );
  });

  it("that was needed meanwhile has a whole time from then on", async () => {
    await using opened = await contentScene();
    const { it: own } = opened;
    const sha256 = await own.upload();
    const collect = () => own.server.collector.collect({ isDry: false });
    await collect();
    await own.clock.advance(times.contentKept - hour);
    const imageId = await own.image(sha256);
    await collect();
    await own.does((tx) => tx.images.remove(imageId));
    await own.clock.advance(2 * hour);
    await collect();
    assert.deepEqual(await own.there(), new Set([sha256]), "links that were given just before its end are still good");
    await own.clock.advance(times.contentKept);
    assert.equal((await collect()).removed.files, 1);
  });

  it("that is stored once more, or asked for while it goes, is what the answer says", async () => {
    await using opened = await contentScene();
    const { it: own } = opened;
    const [again, going] = [await own.upload(), await own.upload()];
    await own.server.collector.collect({ isDry: false });
    await own.clock.advance(times.contentKept);
    await own.server.content.put(bytesOf(0));
    const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    own.server.onRemove(async () => {
      begun.resolve();
      await end.promise;
    });
    const looking = own.server.collector.collect({ isDry: false });
    await begun.promise;
    const missing = own.server.content.missing([again, going]);
    await turns();
    end.resolve();
    assert.deepEqual(await missing, [going]);
    assert.deepEqual(await own.there(), new Set([again]));
    await looking;
  });
});

describe("content that is needed", () => {
  it("is what a volume, a call, a mount or an image names; once they are gone their rows go with it", async () => {
    await using opened = await contentScene();
    const { it: own } = opened;
    const volume = await own.volume();
    await own.commit(volume, "a/b", await own.upload());
    await own.commit(volume, "a/b", await own.upload());
    const [argument, item, result] = [await own.upload(), await own.upload(), await own.upload()];
    const blobs = {
      argument: await own.blob(argument),
      item: await own.blob(item),
      result: await own.blob(result),
    };
    const call = await own.call(blobs);
    const { appId, digests } = await own.mount(await own.upload());
    const context = await own.upload();
    const imageId = await own.image(context);
    await own.settle();
    assert.equal((await own.there()).size, 1 + 3 + 2 + 1, "the state that was replaced is too old by now");
    assert.deepEqual((await own.rows()).blobs.length, 3);
    await own.does((tx) => forgetCall(tx, call));
    await own.settle();
    assert.deepEqual((await own.rows()).blobs, []);
    await own.stopApp(appId);
    await own.does((tx) => tx.images.remove(imageId));
    await own.settle();
    assert.deepEqual((await own.rows()).mounts, []);
    const left = await own.there();
    assert.ok(left.size === 1 && !digests.some((digest) => left.has(digest)));
    await own.deleteVolume(volume);
    await own.settle();
    assert.deepEqual(await own.there(), new Set());
  });
});

describe("whatever is uploaded, referred to and forgotten", () => {
  for (const seed of [1, 2, 3]) {
    it(`nothing that is needed is missing after any step or death, and in the end all else is gone (seed ${seed})`, async () => {
      await using opened = await contentScene();
      await randomLife(opened.it, seededRandom(seed), 80);
    });
  }
});
