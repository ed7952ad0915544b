/** Images that nothing needs go; what is needed stays, and what is asked for after all is made again. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";

import { worker as wire } from "@lydian/contract";

import type { Garbage } from "../../src/images/collect.ts";
import { ImageStory } from "../support/image-story.ts";
import { rpc } from "../support/world.ts";

const lines = ["FROM python:3.12-slim-bookworm", "RUN pip install x"];
const hour = 3_600_000;

/** An image that is made; answers its id. */
async function made(story: ImageStory, more: string, image: object = {}): Promise<string> {
  const { imageId } = await story.want([...lines, more], { image });
  story.world.worker.make(story.next().id);
  await story.world.rest();
  return imageId;
}

async function collect(
  story: ImageStory,
  wish: Parameters<Awaited<ReturnType<ImageStory["world"]["server"]>>["collect"]>[0],
) {
  await story.world.clock.advance(1); // what was used in this very millisecond was not used before it
  const server = await story.world.server();
  const found: Garbage = await server.collect(wish);
  await story.world.rest();
  return found;
}

const gone = ({ workers }: Garbage): string[] => workers.flatMap(({ imageIds }) => imageIds);

async function imageOfFunction({ world }: ImageStory): Promise<string> {
  const server = await world.server();
  return (await server.store.read((tx) => tx.functions.get(world.functionId)))?.imageId ?? "";
}

describe("an image", () => {
  it("is deleted at once where nothing needs it, and asked for again it is another one", async () => {
    await using story = await ImageStory.begin();
    const remove = (imageId: string, key?: string) => story.world.asUser(rpc.imageDelete, { imageId }, key);
    const below = await made(story, "RUN below");
    const above = await made(story, "RUN above", { baseImages: [{ dockerTag: "base", imageId: below }] });
    await assert.rejects(remove(below), new RegExp(`cannot be deleted: image ${above} stands on it`));
    await assert.rejects(remove(await imageOfFunction(story)), /a function of an app that has not stopped has it/);
    await remove(above, "key");
    await remove(above, "key"); // the reply was lost
    await remove(below);
    await assert.rejects(remove(below), /does not exist/);
    assert.deepEqual([...story.images], [await imageOfFunction(story)]);
    assert.notEqual((await story.want([...lines, "RUN below"])).imageId, below);
  });
});

describe("a collection", () => {
  it("has removed what no living app needs, and not before its time", async () => {
    await using story = await ImageStory.begin();
    const needed = await imageOfFunction(story);
    const idle = await made(story, "RUN idle");
    assert.deepEqual(gone(await collect(story, {})), [], "two weeks are not over");
    assert.deepEqual(gone(await collect(story, { unusedMs: 0, isDry: true })), [idle]);
    assert.deepEqual([...story.images].sort(), [needed, idle].sort(), "nothing went");
    const { workers, forgotten } = await collect(story, { unusedMs: 0 });
    assert.deepEqual(
      workers.map(({ workerId, imageIds, layers, bytes }) => [workerId, imageIds, layers, bytes]),
      [["local", [idle], 1, 1n]],
    );
    assert.deepEqual(forgotten, [], "a client may just have been told of it");
    assert.deepEqual([...story.images], [needed]);
    const again = await story.want([...lines, "RUN idle"]);
    assert.deepEqual([again.imageId, again.result], [idle, undefined]);
    assert.equal(story.next().id, idle, "and is made again, under its id");
  });

  it("counts an app's end as a use of its images, and every request for one", async () => {
    await using story = await ImageStory.begin();
    const ofApp = await imageOfFunction(story);
    await made(story, "RUN asked for again");
    const idle = await made(story, "RUN idle");
    await story.pass(10_000 + 60_000);
    await story.want([...lines, "RUN asked for again"]);
    await story.world.asUser(rpc.appStop, { appId: story.world.appId });
    await story.pass(10_000);
    assert.deepEqual(gone(await collect(story, { unusedMs: 30_000 })), [idle]);
    assert.ok(gone(await collect(story, { unusedMs: 1_000 })).includes(ofApp));
  });

  it("keeps what a name stands for now, and not on workers what it stood for once", async () => {
    await using story = await ImageStory.begin();
    const [once, now] = [await made(story, "RUN once"), await made(story, "RUN now")];
    for (const imageId of [once, now]) await story.world.asUser(rpc.imagePublish, { imageId, tag: "tools" });
    assert.deepEqual(gone(await collect(story, { unusedMs: 0 })), [once]);
    await story.world.clock.advance(2 * hour);
    const { forgotten } = await collect(story, { unusedMs: 0 });
    assert.ok(!forgotten.includes(once), "which is in the list of what it stood for");
  });

  it("lets go what is named, whoever needs it, and nothing else", async () => {
    await using story = await ImageStory.begin();
    const needed = await imageOfFunction(story);
    await made(story, "RUN idle");
    assert.deepEqual(gone(await collect(story, { unusedMs: 0, named: [needed] })), [needed]);
  });
});

describe("what is known of images", () => {
  it("goes with the logs of their builds when nobody asks for them, and not while others stand on them", async () => {
    await using story = await ImageStory.begin();
    const { world } = story;
    const base = await made(story, "RUN base");
    const { imageId: told } = await story.want([...lines, "RUN told"]);
    const build = story.next();
    story.tell(build, 0, "Collecting x\n");
    const following = story.follow(told);
    world.worker.make(build.id);
    assert.match((await following).log, /Collecting/);
    await world.clock.advance(2 * hour); // its client has gone long since
    await story.join();
    const child = await story.want(["FROM base"], { image: { baseImages: [{ dockerTag: "base", imageId: base }] } });
    await world.rest();
    const log = join(dirname(world.file), "logs", told);
    assert.ok(existsSync(log));
    const { forgotten, logBytes } = await collect(story, { unusedMs: hour });
    assert.ok(forgotten.includes(told) && !forgotten.includes(base) && !forgotten.includes(child.imageId));
    assert.ok(logBytes > 0);
    assert.equal(await story.image(told), undefined);
    assert.ok(!existsSync(log));
    world.check("after rows were forgotten");
  });

  for (const when of ["before", "after"] as const) {
    it(`goes with its log also when the server dies ${when} its write`, async () => {
      await using story = await ImageStory.begin();
      const { world } = story;
      const { imageId } = await story.want([...lines, "RUN told"]);
      const build = story.next();
      story.tell(build, 0, "Collecting x\n");
      world.worker.make(build.id);
      await world.clock.advance(2 * hour);
      await world.rest();
      const server = await world.server();
      server.fault = { write: server.writes + 1, when };
      await assert.rejects(server.collect({ unusedMs: hour }), /dead/);
      await world.server();
      await world.rest();
      const isKnown = (await story.image(imageId)) !== undefined;
      assert.equal(existsSync(join(dirname(world.file), "logs", imageId)), isKnown);
      assert.equal(isKnown, when === "before");
    });
  }
});

describe("an image that its worker loses within a session", () => {
  it("is made again for the inputs that wait, and its container then begins", async () => {
    await using story = await ImageStory.begin();
    const { world } = story;
    const imageId = await imageOfFunction(story);
    world.worker.lose([imageId]);
    await world.rest();
    await world.submit("hello");
    await world.rest();
    assert.equal(story.next().id, imageId);
    assert.equal(
      [...world.worker.containers.values()].some(({ spec }) => spec !== undefined),
      false,
    );
    world.worker.make(imageId);
    await world.rest();
    assert.equal([...world.worker.containers.values()].find(({ spec }) => spec !== undefined)?.spec?.imageId, imageId);
  });

  it("when its container was assigned already goes the same way, and nobody is blamed", async () => {
    await using story = await ImageStory.begin();
    const { world } = story;
    const imageId = await imageOfFunction(story);
    const call = await world.submit("hello");
    await world.rest();
    const [container] = [...world.worker.containers.values()];
    world.worker.lose([imageId]);
    world.worker.exit(container?.id ?? "", {
      reason: wire.Exit_Reason.LOST,
      message: "image im-1 is not on this worker",
    });
    await world.rest();
    assert.equal(story.next().id, imageId);
    world.worker.make(imageId);
    await world.rest();
    const next = [...world.worker.containers.values()].find(({ spec }) => spec !== undefined);
    assert.notEqual(next?.id, container?.id);
    const { outputs } = await world.asUser(rpc.functionGetOutputs, {
      functionCallId: call,
      timeout: 0,
      lastEntryId: "0-0",
    });
    assert.deepEqual(outputs, [], "it still waits");
  });
});

describe("a worker whose disk is short of room", () => {
  it("is told what may go, however young it is", async () => {
    await using story = await ImageStory.begin();
    const needed = await imageOfFunction(story);
    await made(story, "RUN idle");
    story.world.worker.send({ case: "roomWanted", value: { bytes: 1n } });
    await story.world.rest();
    assert.deepEqual([...story.images], [needed]);
  });
});
