/** An image from a client's request to its build's end: made once, with its log, over deaths, until nobody waits for it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { GenericResult_GenericStatus as Status, worker as wire } from "@lydian/contract";

import { until } from "@lydian/testkit";

import { rpc } from "../support/world.ts";
import { type Followed, ImageStory } from "../support/image-story.ts";

const lines = ["FROM python:3.12-slim-bookworm", "RUN pip install x"];
const { EXITED, LOST, OUT_OF_DISK } = wire.Exit_Reason;

describe("an image", () => {
  it("is made by a worker while its client reads the log, and is there at once the next time", async () => {
    await using story = await ImageStory.begin();
    const { world } = story;
    const first = await story.want(lines);
    assert.equal(first.result, undefined, "a build is under way");
    const build = story.next();
    assert.equal(build.id, first.imageId);
    assert.deepEqual(
      build.build?.recipes.map((recipe) => [recipe.imageId, recipe.lines]),
      [[first.imageId, lines]],
    );
    const following = story.follow(first.imageId);
    story.tell(build, 0, "Collecting x\n");
    await world.rest();
    story.tell(build, 13, "Installed x\n");
    world.worker.make(build.id, { python: "3.12.4", libc: "glibc 2.36", workdir: "/root" });
    const { log, last } = await following;
    assert.equal(log, "Collecting x\nInstalled x\n");
    assert.deepEqual([last?.result?.status, last?.eof], [Status.SUCCESS, true]);
    assert.deepEqual(
      [last?.metadata?.pythonVersionInfo, last?.metadata?.libcVersionInfo, last?.metadata?.workdir],
      ["Python 3.12.4", "glibc 2.36", "/root"],
    );
    assert.equal(last?.metadata?.imageBuilderVersion, "2025.06");
    const again = await story.want(lines);
    assert.deepEqual([again.imageId, again.result?.status], [first.imageId, Status.SUCCESS]);
    assert.equal(again.metadata?.pythonVersionInfo, "Python 3.12.4");
    assert.deepEqual(story.builds, []);
    assert.equal(world.worker.containers.has(first.imageId), false, "the worker was told to forget the build");
  });

  it("that two clients want is made once, and both read the whole log", async () => {
    await using story = await ImageStory.begin();
    const [one, other] = await Promise.all([story.want(lines), story.want(lines)]);
    assert.equal(one.imageId, other.imageId);
    const build = story.next();
    const followings = [story.follow(one.imageId), story.follow(one.imageId)];
    story.tell(build, 0, "line\n");
    await story.world.rest();
    story.world.worker.make(build.id);
    for (const { log, last } of await Promise.all(followings)) {
      assert.deepEqual([log, last?.result?.status], ["line\n", Status.SUCCESS]);
    }
  });

  it("stands on others, which the worker is told first", async () => {
    await using story = await ImageStory.begin();
    const base = await story.want(lines);
    story.world.worker.make(story.next().id);
    const baseImages = [{ dockerTag: "base", imageId: base.imageId }];
    const child = await story.want(["FROM base", "RUN true"], { image: { baseImages } });
    const { recipes } = story.next().build ?? {};
    assert.deepEqual(
      recipes?.map(({ imageId }) => imageId),
      [base.imageId, child.imageId],
    );
    assert.deepEqual(recipes?.[1]?.bases, { base: base.imageId });
  });
});

describe("an image that is not there", () => {
  it("as its step failed says so with the worker's word, and is tried again by the next request", async () => {
    await using story = await ImageStory.begin();
    const { imageId } = await story.want(lines);
    const build = story.next();
    const following = story.follow(imageId);
    story.tell(build, 0, "No such package\n");
    story.world.worker.exit(build.id, { reason: EXITED, code: 1, message: '"RUN pip install x" ended with code 1' });
    const { log, last } = await following;
    assert.equal(log, "No such package\n");
    assert.deepEqual(
      [last?.result?.status, last?.result?.exception],
      [Status.FAILURE, '"RUN pip install x" ended with code 1'],
    );
    const again = await story.want(lines);
    assert.deepEqual([again.imageId, again.result], [imageId, undefined]);
    const second = story.next();
    assert.notEqual(second.fence, build.fence);
    const followingAgain = story.follow(imageId);
    story.tell(second, 0, "Installed\n");
    await story.world.rest();
    story.world.worker.make(second.id);
    assert.equal((await followingAgain).log, "Installed\n", "and not what was said of the first try");
  });

  it("as the disk is full says so", async () => {
    await using story = await ImageStory.begin();
    const { imageId } = await story.want(lines);
    const following = story.follow(imageId);
    story.world.worker.exit(story.next().id, { reason: OUT_OF_DISK, message: "the disk is full" });
    assert.match((await following).last?.result?.exception ?? "", /ran out of disk \(the disk is full\)/);
  });

  it("as no worker is waits for one, and its log says so once", async () => {
    await using story = await ImageStory.begin();
    story.world.worker.drop();
    await story.world.rest();
    const { imageId } = await story.want(lines);
    const seen: Followed = { log: "", last: undefined };
    const following = story.follow(imageId, undefined, seen);
    while (seen.log === "") await story.world.rest(); // files are written at their own pace
    await story.join();
    story.world.worker.make(story.next().id);
    const { log, last } = await following;
    assert.deepEqual(
      [log, last?.result?.status],
      ["Waits for a worker that makes images: none is connected now.\n", 1],
    );
  });
});

describe("what an image is made of", () => {
  it("may come within the request, or be a tree that the worker brings", async () => {
    await using story = await ImageStory.begin();
    const { world } = story;
    const deploymentName = "python-build-standalone.20250708.3.12.11-gnu";
    const { mountId } = await world.asUser(rpc.mountGetOrCreate, { deploymentName });
    const contextFiles = [{ filename: ".requirements.txt", data: new TextEncoder().encode("numpy") }];
    await story.want(lines, { image: { contextMountId: mountId, contextFiles } });
    while (story.builds.length === 0) await world.rest(); // files are read at their own pace
    const [recipe] = story.next().build?.recipes ?? [];
    assert.deepEqual([recipe?.contextName, recipe?.contextManifestSha256], [deploymentName, ""]);
    assert.deepEqual(
      recipe?.contextFiles.map(({ path, data }) => [path, new TextDecoder().decode(data)]),
      [["/.requirements.txt", "numpy"]],
    );
    const other = await world.asUser(rpc.mountGetOrCreate, { deploymentName: `${deploymentName}x` });
    assert.notEqual(other.mountId, mountId);
    await assert.rejects(world.asUser(rpc.mountGetOrCreate, { deploymentName: "python" }), /no mount named "python"/);
  });

  it("must exist", async () => {
    await using story = await ImageStory.begin();
    const baseImages = [{ dockerTag: "base", imageId: "im-9" }];
    await assert.rejects(
      story.want(["FROM base"], { image: { baseImages } }),
      /im-9, the base "base" .* does not exist/,
    );
    await assert.rejects(story.want(lines, { image: { contextMountId: "mo-9" } }), /mo-9, .* does not exist/);
    const contextFiles = [{ filename: "../x", data: new Uint8Array() }];
    await assert.rejects(story.want(lines, { image: { contextFiles } }), /leads out of the context/);
    await assert.rejects(story.follow("im-9"), /im-9 does not exist/);
  });
});

describe("builds", () => {
  it("are as many at a time as the worker has cores, in the order in which they were wanted", async () => {
    await using story = await ImageStory.begin({ milliCpu: 2_000 });
    const ids: string[] = [];
    for (const n of [1, 2, 3]) ids.push((await story.want([...lines, `RUN ${n}`])).imageId);
    assert.deepEqual(
      story.builds.splice(0).map(({ id }) => id),
      ids.slice(0, 2),
    );
    story.world.worker.make(ids[1] ?? "");
    await story.world.rest();
    assert.equal(story.next().id, ids[2]);
  });

  it("by force run again and take the place of what was there; beside the cache they leave it alone", async () => {
    await using story = await ImageStory.begin();
    const first = await story.want(lines);
    story.world.worker.make(story.next().id);
    const key = story.world.newKey();
    const forced = await story.want(lines, { forceBuild: true }, key);
    assert.equal((await story.want(lines, { forceBuild: true }, key)).imageId, forced.imageId, "of a repeated request");
    assert.notEqual(forced.imageId, first.imageId);
    const build = story.next();
    assert.equal(build.build?.force, true);
    assert.equal((await story.want(lines)).imageId, first.imageId, "until it is made");
    story.world.worker.make(build.id);
    await story.world.rest();
    const newest = await story.want(lines);
    assert.deepEqual([newest.imageId, newest.result?.status], [forced.imageId, Status.SUCCESS]);
    const apart = await story.want(lines, { ignoreCache: true });
    story.world.worker.make(story.next().id);
    await story.world.rest();
    assert.notEqual(apart.imageId, forced.imageId);
    assert.equal((await story.want(lines)).imageId, forced.imageId);
  });
});

describe("a build", () => {
  it("goes on when the server is killed, and its client misses nothing", async () => {
    await using story = await ImageStory.begin();
    const { world } = story;
    const { imageId } = await story.want(lines);
    const build = story.next();
    const seen: Followed = { log: "", last: undefined };
    const following = story.follow(imageId, undefined, seen);
    story.tell(build, 0, "a\n");
    while (seen.log === "") await world.rest(); // files are written at their own pace
    (await world.server()).kill();
    await world.server();
    await story.join();
    story.tell(build, 2, "b\n");
    world.worker.make(build.id);
    await following;
    assert.deepEqual([seen.log, seen.last?.result?.status], ["a\nb\n", Status.SUCCESS]);
    assert.deepEqual(story.builds, [], "nothing was assigned again");
  });

  it("is wanted still when the server is killed before anybody has it", async () => {
    await using story = await ImageStory.begin();
    story.world.worker.drop();
    await story.world.rest();
    const { imageId } = await story.want(lines);
    (await story.world.server()).kill();
    await story.world.server();
    await story.join();
    assert.equal(story.next().id, imageId);
  });

  it("that its worker lost begins again, three times at most", async () => {
    await using story = await ImageStory.begin();
    const { world } = story;
    const { imageId } = await story.want(lines);
    const followed = { log: "", last: undefined };
    const following = story.follow(imageId, undefined, followed);
    /** A line is written to disk beside the build: the next loss comes after it. */
    const isTold = (line: string): Promise<true> =>
      until(
        10_000,
        () => followed.log.includes(line),
        () => followed.log,
      );
    const first = story.next();
    world.worker.die();
    await story.join();
    await isTold("lost 1 times");
    const second = story.next();
    assert.notEqual(second.fence, first.fence);
    story.tell(first, 0, "of the first\n");
    world.worker.exit(second.id, { reason: LOST, message: "the worker was killed" });
    await isTold("lost 2 times");
    await world.rest();
    story.next();
    world.worker.die();
    await world.until(following, 20_000);
    const { log, last } = await following;
    assert.match(last?.result?.exception ?? "", /^Gave up after 3 builds were lost/);
    assert.equal(last?.result?.status, Status.FAILURE);
    assert.equal(log, "The build was lost 1 times; it begins again.\nThe build was lost 2 times; it begins again.\n");
  });
});

describe("a death of the server", () => {
  for (const when of ["before", "after"] as const) {
    it(`${when} any of its writes loses neither the request nor the build`, async () => {
      let isBeyond = false;
      let write = 0;
      while (!isBeyond) {
        write++;
        await using story = await ImageStory.begin();
        const { world } = story;
        const server = await world.server();
        server.fault = { write: server.writes + write, when };
        const wish = story.want(lines, { forceBuild: true }, "key").then(({ imageId }) => story.follow(imageId));
        const state = { isOver: false };
        const over = wish.finally(() => (state.isOver = true));
        const begun: string[] = [];
        while (!state.isOver) {
          await world.rest();
          if (!world.worker.isConnected) await world.join().catch(() => {}); // it dies again: the next round joins
          for (const build of story.builds.splice(0)) {
            begun.push(build.id);
            story.tell(build, 0, "told\n");
            if (world.worker.containers.has(build.id)) world.worker.make(build.id);
          }
        }
        const { last } = await over;
        assert.equal(last?.result?.status, Status.SUCCESS);
        await world.rest();
        world.check(`after a death ${when} write ${write}`);
        // One that was written down as begun, and of which its worker never heard, is begun anew.
        assert.ok(new Set(begun).size === 1 && begun.length <= 2, begun.join());
        isBeyond = !server.isDead;
      }
      assert.ok(write > 4, `it wrote ${write - 1} times`);
    });
  }
});

describe("an image that its worker has no more", () => {
  it("is made again for the next client, under the same id", async () => {
    await using story = await ImageStory.begin();
    const { imageId } = await story.want(lines);
    story.world.worker.make(story.next().id);
    await story.world.rest();
    story.images.delete(imageId);
    story.world.worker.drop();
    await story.join();
    const again = await story.want(lines);
    assert.deepEqual([again.imageId, again.result], [imageId, undefined]);
    const following = story.follow(imageId);
    story.world.worker.make(story.next().id);
    assert.equal((await following).last?.result?.status, Status.SUCCESS);
    story.world.worker.drop();
    await story.world.rest();
    assert.equal((await story.want(lines)).result?.status, Status.SUCCESS, "while no worker is there to say otherwise");
  });
});

describe("a build that nobody waits for", () => {
  it("ends when its last client has gone for a while, and not when it only opens its next stream", async () => {
    await using story = await ImageStory.begin();
    const { imageId } = await story.want(lines);
    const build = story.next();
    const gone = new AbortController();
    const following = story.follow(imageId, gone.signal);
    await story.pass(120_000);
    assert.equal((await story.image(imageId))?.state, "building");
    gone.abort();
    await following;
    await story.pass(9_000);
    assert.deepEqual(story.stopped, []);
    await story.pass(2_000);
    assert.deepEqual(story.stopped, [build.id]);
    assert.equal((await story.image(imageId))?.state, "idle");
    assert.equal((await story.want(lines)).result, undefined);
    assert.equal(story.next().id, imageId, "and is made again for the next one");
  });

  it("ends a minute after a restart of the server when no client comes back", async () => {
    await using story = await ImageStory.begin();
    const { world } = story;
    const { imageId } = await story.want(lines);
    (await world.server()).kill();
    await world.server();
    await story.join();
    await story.pass(58_000);
    assert.equal((await story.image(imageId))?.state, "building");
    await story.pass(4_000);
    assert.equal((await story.image(imageId))?.state, "idle");
  });
});

describe("containers", () => {
  it("wait for an image that no worker has any more, which is made again for them and nobody else", async () => {
    await using story = await ImageStory.begin();
    const { world } = story;
    story.images.clear();
    world.worker.die();
    await story.join();
    await world.submit("x");
    await world.rest();
    const build = story.next();
    await story.pass(70_000);
    assert.deepEqual([story.stopped, world.worker.containers.size], [[], 1], "nobody but the function waits");
    world.worker.make(build.id);
    await world.rest();
    const [held] = [...world.worker.containers.values()];
    assert.equal(held?.spec?.imageId, build.id);
    const { runner } = held.spec;
    assert.equal(runner?.kind.case === "python" && runner.kind.value.python, "3.11");
  });

  it("whose image cannot be made again fail what waits for them, and it is tried again for what comes later", async () => {
    await using story = await ImageStory.begin();
    const { world } = story;
    story.images.clear();
    world.worker.die();
    await story.join();
    const call = await world.submit("x");
    await world.rest();
    world.worker.exit(story.next().id, { reason: EXITED, code: 1, message: "the registry is away" });
    const [output] = await world.outputs(call);
    assert.match(
      output?.result?.exception ?? "",
      /^Its container could not be started\. Its image im-\S+ could not be made again\. the registry is away$/,
    );
    await world.submit("y");
    await world.rest();
    story.next();
  });
});
