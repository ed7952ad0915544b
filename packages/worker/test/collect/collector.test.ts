/** The collector over a real store: what goes of images and layers, what others keep, and what a kill in between leaves. */
import assert from "node:assert/strict";
import { readdir, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";

import { silentLogger } from "@lydian/kit";
import { ManualClock } from "@lydian/testkit";

import { Images } from "../../src/builds/images.ts";
import { Collector, type CollectRequest, type Known } from "../../src/collect/collector.ts";
import { modestWish } from "../../src/collect/what-goes.ts";
import { BaseImages } from "../../src/images/base-images.ts";
import { plainConfig } from "../../src/images/image-config.ts";
import { StackRecords } from "../../src/images/stack-records.ts";
import { LayerFacts, LayerStore } from "../../src/layers/index.ts";
import { temporaryFolder } from "../support/temporary.ts";

const facts = { python: "", libc: "", mark: "" };
const day = 86_400_000;

async function scene(t: TestContext) {
  const folder = await temporaryFolder(t);
  const clock = new ManualClock();
  await clock.advance(Date.now() - clock.now()); // files have the host's time
  const layers = await LayerStore.open(join(folder, "layers"));
  const images = await Images.open(join(folder, "images"), layers);
  const shared = { layers, clock, logger: silentLogger };
  const bases = new BaseImages({ ...shared, folder, registry: undefined });
  const stale = { files: 2, bytes: 500 };
  const content = { collect: async (before: number) => (before > Date.now() - day ? stale : { files: 0, bytes: 0 }) };
  const options = { ...shared, images, bases, facts: new LayerFacts(shared), content, isElsewhere: false };
  const collector = new Collector(options);
  const gone: string[] = [];
  images.onGone((id) => gone.push(id));
  const layer = (id: string) => layers.make(id, (diff) => writeFile(join(diff, "file"), "x".repeat(10_000)));
  return {
    ...{ folder, clock, layers, images, collector, options, gone, layer, stale },
    async image(id: string, ...ids: string[]): Promise<void> {
      const own = await Promise.all(ids.map(layer));
      await images.keep(id, { layers: own, config: plainConfig, digest: id, facts });
    },
    /** A base image that was used this long ago. */
    async base(name: string, agoMs: number, change: { imported?: boolean } = {}): Promise<void> {
      const records = new StackRecords(folder);
      const { id } = await layer(`of-${name}`);
      await records.write([name], {
        name,
        imported: false,
        isPrivate: false,
        layers: [id],
        config: plainConfig,
        digest: name,
        ...change,
      });
      const at = new Date(Date.now() - agoMs);
      await utimes(records.fileOf([name]), at, at);
    },
    async left(): Promise<string> {
      return `${images.ids.toSorted().join()}: ${(await layers.list())
        .map(({ id }) => id)
        .toSorted()
        .join()}`;
    },
    collect: (request: Partial<CollectRequest> = {}) =>
      collector.collect({ ...modestWish, usedBefore: Date.now() + 1_000, known: new Map(), isDry: false, ...request }),
  };
}

const needed = (...ids: string[]): Map<string, Known> => new Map(ids.map((id) => [id, { usedAt: 0, isNeeded: true }]));

describe("a collection", () => {
  it("removes images that nobody needs, with the layers that are theirs alone, and says so", async (t) => {
    const it = await scene(t);
    await it.image("im-old", "top", "shared");
    await it.image("im-new", "shared");
    await it.layer("left");
    const dry = await it.collect({ known: needed("im-new"), isDry: true });
    assert.equal(await it.left(), "im-new,im-old: left,shared,top");
    const { images, bases, layers, bytes, leftBytes } = await it.collect({ known: needed("im-new") });
    assert.deepEqual([images, bases, layers.toSorted()], [["im-old"], [], ["left", "top"]]);
    assert.ok(bytes >= 20_000 && leftBytes >= 10_000, `${bytes} ${leftBytes}`);
    assert.deepEqual([dry.images, dry.layers.toSorted(), dry.bytes], [images, layers.toSorted(), bytes]);
    assert.equal(await it.left(), "im-new: shared");
    assert.deepEqual(it.gone, ["im-old"], "the server is told");
    assert.deepEqual((await readdir(join(it.folder, "images"))).toSorted(), ["im-new.json"]);
  });

  it("takes the later of what the server says and of when it was made for its last use", async (t) => {
    const it = await scene(t);
    await it.image("im-made", "a");
    const known = new Map([["im-made", { usedAt: 5, isNeeded: false }]]);
    await it.collect({ usedBefore: Date.now() - 60_000, known });
    assert.equal(await it.left(), "im-made: a");
    const long = new Date(1_000);
    await utimes(join(it.folder, "images", "im-made.json"), long, long);
    await it.collect({ usedBefore: 1_000, known });
    assert.equal(await it.left(), "im-made: a");
    await it.collect({ usedBefore: 1_001, known: new Map([["im-made", { usedAt: 1_001, isNeeded: false }]]) });
    assert.equal(await it.left(), "im-made: a");
    await it.collect({ usedBefore: 1_001, known });
    assert.equal(await it.left(), ": ");
  });
});

describe("a collection and others", () => {
  it("leaves alone what containers, builds and other platforms hold", async (t) => {
    const it = await scene(t);
    await it.image("im-1", "a", "b", "c");
    const [a, b, c] = [await it.layer("a"), await it.layer("b"), await it.layer("c")];
    await it.layers.hold("abc.ta-1", [a]);
    await using lease = it.layers.lease();
    await lease.hold([b]);
    const others = join(it.folder, "other.json");
    await writeFile(others, JSON.stringify([c.id]));
    await it.layers.holdFor(others, [c]);
    const { layers } = await it.collect();
    assert.deepEqual(layers, []);
    assert.equal(await it.left(), ": a,b,c");
    await rm(others); // that platform's folder was deleted
    await it.collect();
    assert.equal(await it.left(), ": a,b");
  });

  it("keeps an image that a container or a build is just about to use", async (t) => {
    const it = await scene(t);
    await it.image("im-1", "a");
    {
      using _pin = it.images.pin("im-1");
      assert.deepEqual((await it.collect()).images, []);
      assert.equal(await it.left(), "im-1: a");
    }
    await it.collect();
    assert.equal(await it.left(), ": ");
  });

  it("ends waiting starters of images that go, for they hold layers", async (t) => {
    const it = await scene(t);
    await it.image("im-1", "a");
    await it.image("im-2", "b");
    await it.layers.hold("abc.st-1", [await it.layer("a")]);
    await it.layers.hold("abc.st-2", [await it.layer("b")]);
    it.collector.accompany({
      starters: () => new Set(["st-1", "st-2"]),
      dropStarters: async (ids) => {
        assert.deepEqual([...ids], ["im-1"]);
        await it.layers.release("abc.st-1", [await it.layer("a")]);
      },
      askServer: () => false,
    });
    const { bytes } = await it.collect({ known: needed("im-2") });
    assert.equal(await it.left(), "im-2: b");
    assert.ok(bytes > 0);
  });

  it("takes base images that were not asked for within a day, but for those from files", async (t) => {
    const it = await scene(t);
    await it.base("young", day - 60_000);
    await it.base("old", day + 60_000);
    await it.base("file", 9 * day, { imported: true });
    const { bases } = await it.collect();
    assert.deepEqual(bases, ["old"]);
    assert.equal(await it.left(), ": of-file,of-young");
    assert.deepEqual((await it.collect({ named: new Set(["young"]), usedBefore: 0 })).bases, ["young"]);
    await assert.rejects(it.collect({ named: new Set(["im-9"]) }), /there is no image im-9 on this worker/);
  });
});

describe("room for containers", () => {
  it("is made of fetched files first, then of layers that no image has, and then of what the server says", async (t) => {
    const it = await scene(t);
    await it.image("im-1", "a");
    await it.layer("left");
    const asked: number[] = [];
    it.collector.accompany({
      starters: () => new Set(),
      dropStarters: async () => {},
      askServer(bytes) {
        asked.push(bytes);
        void it.collect({ usedBefore: Number.NEGATIVE_INFINITY, freeBytes: bytes });
        return true;
      },
    });
    const { bytes } = it.stale;
    assert.equal(await it.collector.makeRoom(bytes), bytes);
    assert.equal(await it.left(), "im-1: a,left");
    const ofLayer = await it.collector.makeRoom(bytes + 1);
    assert.deepEqual(asked, []);
    assert.equal(await it.left(), "im-1: a");
    assert.equal(await it.collector.makeRoom(bytes + 1), ofLayer);
    assert.deepEqual([asked, await it.left()], [[1], ": "]);
  });

  it("is not waited for when the server does not answer, nor made of layers on another disk", async (t) => {
    const it = await scene(t);
    await it.image("im-1", "a");
    const { promise: isAsked, resolve } = Promise.withResolvers<void>();
    const askServer = (): boolean => (resolve(), true);
    it.collector.accompany({ starters: () => new Set(), dropStarters: async () => {}, askServer });
    const { bytes } = it.stale;
    const freed = it.collector.makeRoom(bytes + 1);
    await isAsked;
    await it.clock.advance(60_000);
    assert.equal(await freed, bytes);
    const elsewhere = new Collector({ ...it.options, isElsewhere: true });
    await it.layer("left");
    assert.equal(await elsewhere.makeRoom(bytes + 1), bytes);
    assert.equal(await it.left(), "im-1: a,left");
  });
});

describe("what a kill leaves", () => {
  it("of an image that was written down before its layers were held is whole, or goes", async (t) => {
    const it = await scene(t);
    await it.image("im-1", "a");
    await it.image("im-2", "b");
    const file = (id: string): string => join(it.folder, "images", `${id}.json`);
    await it.layers.releaseFor(file("im-1"), ["a"]);
    await it.layers.releaseFor(file("im-2"), ["b"]);
    await it.layers.remove("b"); // by another platform of the host, before this one is started again
    const images = await Images.open(join(it.folder, "images"), it.layers);
    assert.deepEqual(images.ids, ["im-1"]);
    await assert.rejects(it.layers.remove("a"), /is held by record-/);
    assert.deepEqual(await readdir(join(it.folder, "images")), ["im-1.json"]);
  });

  it("of an image that was being forgotten goes with the next collection", async (t) => {
    const it = await scene(t);
    await it.image("im-1", "a");
    await rm(join(it.folder, "images", "im-1.json"));
    const images = await Images.open(join(it.folder, "images"), it.layers);
    const next = new Collector({ ...it.options, images });
    const asked = { ...modestWish, usedBefore: Date.now() + 1_000, known: new Map(), isDry: false };
    assert.deepEqual((await next.collect(asked)).layers, ["a"]);
  });
});
