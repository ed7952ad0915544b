/** Images under names: published, found, listed in pages, with what they stood for before, and forgotten. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { rpc, World } from "../support/world.ts";

/** A world with an image that is built, and one that is not. */
async function scene() {
  const world = await World.begin();
  await world.join();
  const made = await world.asUser(rpc.imageGetOrCreate, {
    image: { dockerfileCommands: ["FROM python:3.12-slim-bookworm"] },
  });
  const other = await world.asUser(rpc.imageGetOrCreate, {
    image: { dockerfileCommands: ["FROM python:3.11-slim-bookworm"] },
  });
  const failed = await world.asUser(rpc.imageGetOrCreate, { image: { dockerfileCommands: ["FROM ubuntu"] } });
  const publish = (imageId: string, tag: string) => world.asUser(rpc.imagePublish, { imageId, tag });
  const find = async (tag: string): Promise<string> => (await world.asUser(rpc.imageGetByTag, { tag })).imageId;
  return {
    world,
    imageId: made.imageId,
    otherId: other.imageId,
    failedId: failed.imageId,
    publish,
    find,
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

describe("a published image", () => {
  it("is found by its name and tag, in its environment", async () => {
    await using it = await scene();
    await it.publish(it.imageId, "main/tools:v1");
    assert.equal(await it.find("tools:v1"), it.imageId);
    assert.equal(await it.find("main/tools:v1"), it.imageId);
    await assert.rejects(it.find("tools"), /Image "tools:latest" does not exist in environment "main"/);
    await assert.rejects(it.find("other/tools:v1"), /Environment "other" does not exist/);
  });

  it("gives way to the next one under its name, and its history stays", async () => {
    await using it = await scene();
    const first = await it.publish(it.imageId, "tools");
    await it.world.clock.advance(1_000);
    const second = await it.publish(it.otherId, "tools:latest");
    assert.notEqual(second.revisionId, first.revisionId);
    assert.equal(await it.find("tools"), it.otherId);
    const history = await it.world.asUser(rpc.imageTagRevisions, { tag: "tools" });
    assert.deepEqual([history.tag, history.environmentName, history.nextPageToken], ["tools:latest", "main", ""]);
    assert.deepEqual(
      history.items.map((each) => [each.imageId, each.revisionId, each.publishedBy]),
      [
        [it.otherId, second.revisionId, "home"],
        [it.imageId, first.revisionId, "home"],
      ],
    );
    const pages = [];
    for (let pageToken = "", more = true; more; more = pageToken !== "") {
      const page = await it.world.asUser(rpc.imageTagRevisions, { tag: "tools", maxObjects: 1, pageToken });
      pages.push(page.items.map(({ imageId }) => imageId));
      pageToken = page.nextPageToken;
    }
    assert.deepEqual(pages, [[it.otherId], [it.imageId]]);
    const [item] = (await it.world.asUser(rpc.imageListTags, {})).items;
    assert.deepEqual([item?.tag, item?.imageId, item?.revisionId], ["tools:latest", it.otherId, second.revisionId]);
    assert.equal((item?.updatedAt ?? 0) - (item?.createdAt ?? 0), 1);
  });

  it("is listed by name, in pages, by prefix and by image", async () => {
    await using it = await scene();
    for (const name of ["b", "a:x", "a_c", "c"]) await it.publish(it.imageId, name);
    await it.publish(it.otherId, "c");
    const list = async (request: object): Promise<string[]> =>
      (await it.world.asUser(rpc.imageListTags, request)).items.map(({ tag }) => tag);
    assert.deepEqual(await list({}), ["a:x", "a_c:latest", "b:latest", "c:latest"]);
    assert.deepEqual(await list({ tagPrefix: "a" }), ["a:x", "a_c:latest"]);
    assert.deepEqual(await list({ tagPrefix: "a_" }), ["a_c:latest"]);
    assert.deepEqual(await list({ imageId: it.otherId }), ["c:latest"]);
    const { items, nextPageToken: pageToken } = await it.world.asUser(rpc.imageListTags, { maxObjects: 3 });
    assert.equal(items.length, 3);
    assert.deepEqual(await list({ maxObjects: 3, pageToken }), ["c:latest"]);
  });

  it("keeps its id when its name is forgotten, with its history", async () => {
    await using it = await scene();
    await it.publish(it.imageId, "tools");
    await it.world.asUser(rpc.imageNameDelete, { tag: "main/tools:latest" });
    await assert.rejects(it.find("tools"), /does not exist/);
    await assert.rejects(it.world.asUser(rpc.imageNameDelete, { tag: "main/tools:latest" }), /does not exist/);
    assert.deepEqual((await it.world.asUser(rpc.imageTagRevisions, { tag: "tools" })).items, []);
    const { imageId, metadata } = await it.world.asUser(rpc.imageFromId, { imageId: it.imageId });
    assert.deepEqual([imageId, metadata?.pythonVersionInfo], [it.imageId, "Python 3.11.9"]);
  });

  it("must be built, exist, and have a name that is one", async () => {
    await using it = await scene();
    await assert.rejects(it.publish(it.failedId, "tools"), /is not built/);
    await assert.rejects(it.publish("im-9", "tools"), /im-9 does not exist/);
    for (const name of ["im-tools", "a b", "a:b:c", "a:", "", "x".repeat(64)]) {
      await assert.rejects(it.publish(it.imageId, name), /cannot be the name of an image/, name);
    }
    const shared = it.world.asUser(rpc.imagePublish, { imageId: it.imageId, tag: "a", allowPublic: true });
    await assert.rejects(shared, /not shared/);
  });
});
