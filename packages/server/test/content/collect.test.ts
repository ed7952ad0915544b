/** What nothing needs goes, and what anything needs is there at every moment, whatever happens and whoever is killed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type Random, seededRandom, turns } from "@lydian/testkit";

import { forgetCall } from "../../src/calls/sweep.ts";
import { bytesOf, type ContentScene, contentScene } from "./content-scene.ts";
import { Killed, times } from "./mortal-content.ts";

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

/** What can happen, at random. */
function actsOf(own: ContentScene, random: Random): (() => Promise<void>)[] {
  const uploads: { sha256: string; at: number }[] = [];
  const volumes: string[] = [];
  const paths = ["a", "b", "c/d"];
  /** One that was uploaded, or asked for, less than its time ago: it can be referred to. */
  const taken = (): string | undefined => {
    const young = uploads.filter(({ at }) => own.clock.now() - at < times.contentKept);
    return random.pick(young)?.sha256;
  };
  const known = (prefix: string): string =>
    random.pick([...own.needs.keys()].filter((id) => id.startsWith(prefix))) ?? "";
  const withTaken = (act: (sha256: string) => Promise<unknown>) => async (): Promise<void> => {
    const sha256 = taken();
    if (sha256 !== undefined) await act(sha256);
  };
  const withVolume = (act: (id: string, path: string) => Promise<void>) => async (): Promise<void> => {
    if (volumes.length < 2) volumes.push(await own.volume());
    await act(random.pick(volumes) ?? "", random.pick(paths) ?? "");
  };
  return [
    async () => void uploads.push({ at: own.clock.now(), sha256: await own.upload(random) }),
    async () => {
      const asked = random.pick(uploads)?.sha256 ?? "0".repeat(64);
      const isThere = (await own.server.content.missing([asked])).length === 0;
      if (isThere) uploads.push({ at: own.clock.now(), sha256: asked });
    },
    withVolume((id, path) => withTaken((sha256) => own.commit(id, path, sha256))()),
    withVolume((id, path) => own.commit(id, path)),
    withVolume(async (id) => {
      if (!random.once(6)) return;
      volumes.splice(volumes.indexOf(id), 1);
      await own.deleteVolume(id);
    }),
    withTaken(async (argument) => {
      const [item, result] = [taken() ?? argument, taken() ?? argument];
      const blobs = { argument: await own.blob(argument), item: await own.blob(item), result: await own.blob(result) };
      await own.call(blobs);
    }),
    async () => void (await own.does((tx) => forgetCall(tx, known("fc-")))),
    withTaken((sha256) => own.mount(sha256)),
    async () => own.stopApp(known("ap-")),
    withTaken((sha256) => own.image(sha256)),
    async () => own.does((tx) => tx.images.remove(known("im-"))),
    async () => own.clock.advance(random.below(12) * hour),
  ];
}

async function randomLife(own: ContentScene, random: Random, steps: number): Promise<void> {
  const acts = actsOf(own, random);
  let deaths = 0;
  const survived = async (act: () => Promise<unknown>): Promise<void> => {
    await act().catch((error: unknown) => {
      if (!(error instanceof Killed)) throw error;
    });
  };
  for (let i = 0; i < steps; i++) {
    if (random.once(4)) own.server.live(random.below(12));
    const looks = random.once(3);
    const looking = looks ? survived(() => own.server.collector.collect({ isDry: false })) : Promise.resolve();
    for (let n = 1 + random.below(3); n > 0 && !own.server.isDead; n--) {
      await survived(random.pick(acts) ?? (async () => {}));
    }
    await looking;
    if (own.server.isDead) {
      deaths++;
      await own.revive();
    }
    own.server.live(Number.POSITIVE_INFINITY);
    await own.assertNothingIsMissing(`step ${i}`);
  }
  assert.ok(deaths > 3);
  await own.settle();
  assert.deepEqual([...(await own.there())].toSorted(), [...(await own.needed())].toSorted());
}
