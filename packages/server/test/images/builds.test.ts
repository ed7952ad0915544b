/** The loop that gives wanted images to workers: who gets which, what they are told, and what ends them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";

import { silentLogger } from "@lydian/kit";
import { turns } from "@lydian/testkit";

import { ContentStore } from "../../src/content/content-store.ts";
import type { Image } from "../../src/domain/image.ts";
import type { WorkerView } from "../../src/domain/worker.ts";
import type { Build } from "../../src/images/build-message.ts";
import { Builds, turns as turnsOf } from "../../src/images/builds.ts";
import { testStore } from "../support/open-store.ts";
import { builder, image, recipe } from "../support/rows.ts";

const wanted = (id: Image["id"], changes: Partial<Image> = {}): Image =>
  image({ id, key: id, state: "wanted", built: undefined, ...changes });

/** The loop, over hands that take notes. */
async function running(workers: WorkerView[] = [builder()]) {
  const test = await testStore();
  const content = await ContentStore.open(join(test.folder, "content"));
  const built: { image: Image; build: Build }[] = [];
  const stopped: string[] = [];
  const told: string[] = [];
  const hands = {
    workers: () => workers,
    build: (of: Image, build: Build) => void built.push({ image: of, build }),
    stop: ({ id }: Image) => void stopped.push(id),
  };
  const asked: unknown[] = [];
  const builds = new Builds({
    ...test,
    content,
    hands,
    times: { build: 3_600_000 },
    askAws: async (keys) => (asked.push(keys), "from aws"),
    tell: (id, text) => void told.push(`${id} ${text}`),
    log: silentLogger,
  });
  const put = async (...images: Image[]): Promise<void> => {
    await test.does(async (tx) => {
      for (const each of images) await tx.images.put(each);
      tx.ring("images");
    });
    await test.clock.settle();
  };
  const secret = async (id: `st-${string}`, values: Record<string, string>): Promise<void> => {
    await test.vault.prepare();
    await test.does(async (tx, { now }) => {
      if ((await tx.identity.environments()).length === 0)
        await tx.identity.putEnvironment({ id: "en-1", name: "main", webSuffix: "", createdAt: 0 });
      const facts = { id, environmentId: "en-1", state: "anonymous", name: "", appId: undefined, version: 1 } as const;
      await tx.secrets.put(
        test.vault.seal({ ...facts, createdAt: now, createdBy: "me", lastUsedAt: undefined }, values),
      );
    });
  };
  const find = async (id: string): Promise<Image | undefined> => test.store.read((tx) => tx.images.get(id));
  return {
    ...test,
    content,
    builds,
    workers,
    built,
    stopped,
    told,
    asked,
    put,
    secret,
    find,
    start: async () => {
      builds.start();
      await test.clock.settle();
    },
    async [Symbol.asyncDispose]() {
      await builds.close();
      assert.equal(test.clock.pending, 0, "nothing is left behind");
      await test[Symbol.asyncDispose]();
    },
  };
}

describe("turns", () => {
  it("are in the order of arrival, one build per core and at least one, to the worker with most left", () => {
    const small = builder([], { id: "small", capacity: { milliCpu: 500, memoryMib: 1 } });
    const large = builder([], { id: "large", capacity: { milliCpu: 2_900, memoryMib: 1 } });
    const underWay = [
      image({ id: "im-0", state: "building", workerId: "large" }),
      wanted("im-1"),
      wanted("im-2"),
      wanted("im-3"),
    ];
    const chosen = turnsOf(underWay, [small, large]);
    assert.deepEqual(
      chosen.map((each) => [each.image.id, each.workerId]),
      [
        ["im-1", "small"],
        ["im-2", "large"],
      ],
    );
    assert.deepEqual(turnsOf(underWay, []), []);
  });
});

describe("a wanted image", () => {
  it("is written down as being built before its worker hears of it", async () => {
    await using it = await running();
    await it.start();
    await it.put(wanted("im-1"));
    const [only] = it.built;
    assert.deepEqual([only?.image.id, only?.image.state, it.built.length], ["im-1", "building", 1]);
    assert.deepEqual(await it.find("im-1"), only?.image);
  });

  it("that was there before the server's start is built, too", async () => {
    await using it = await running();
    await it.put(wanted("im-1"));
    await it.start();
    assert.equal(it.built.length, 1);
  });
});

describe("what is to be built", () => {
  it("comes with its context's files, and with secrets only where steps may run", async () => {
    await using it = await running([builder(["im-1"])]);
    await it.start();
    const { sha256 } = await it.content.put(new TextEncoder().encode("numpy\n"));
    await it.secret("st-1", { TOKEN: "t", OVER: "a" });
    await it.secret("st-2", { OVER: "b" });
    await it.put(
      image({ id: "im-1", key: "1", recipe: recipe({ secretIds: ["st-gone"] }) }),
      image({ id: "im-2", key: "2", recipe: recipe({ bases: { base: "im-1" }, secretIds: ["st-1"] }) }),
      wanted("im-3", {
        force: true,
        recipe: recipe({
          bases: { base: "im-2" },
          contextFiles: [{ path: "/requirements.txt", sha256 }],
          secretIds: ["st-1", "st-2"],
          secretsIdentity: "identity",
        }),
      }),
    );
    while (it.built.length === 0) await turns(); // a file is read at its own pace
    const { recipes = [], force } = it.built[0]?.build ?? {};
    assert.equal(force, true);
    assert.deepEqual(
      recipes.map(({ imageId, secrets, withheld }) => [imageId, secrets, withheld]),
      [
        ["im-1", {}, true],
        ["im-2", { TOKEN: "t", OVER: "a" }, false],
        ["im-3", { TOKEN: "t", OVER: "b" }, false],
      ],
    );
    const last = recipes[2];
    assert.equal(last?.secretsIdentity, "identity");
    assert.equal(Buffer.from(last?.contextFiles?.[0]?.data ?? []).toString(), "numpy\n");
    assert.doesNotMatch(JSON.stringify(await it.find("im-3")), /TOKEN/, "the row has no secret");
  });

  it("from a registry comes with the credentials of its secret", async () => {
    await using it = await running([builder([], { capacity: { milliCpu: 9_000, memoryMib: 1 } })]);
    await it.start();
    await it.secret("st-1", { REGISTRY_USERNAME: "me", REGISTRY_PASSWORD: "p" });
    await it.secret("st-2", { AWS_REGION: "eu-west-1", AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "key" });
    await it.put(
      wanted("im-1", { recipe: recipe({ registry: { kind: "static", secretId: "st-1" } }) }),
      wanted("im-2", { recipe: recipe({ registry: { kind: "aws", secretId: "st-2" } }) }),
    );
    const given = it.built.map(({ build }) => build.recipes?.[0]?.credentials);
    assert.deepEqual(given, [
      { username: "me", password: "p" },
      { username: "AWS", password: "from aws" },
    ]);
    assert.deepEqual(it.asked, [{ region: "eu-west-1", accessKeyId: "id", secretAccessKey: "key", sessionToken: "" }]);
  });

  it("whose secret is gone, or lacks a key, fails with its name", async () => {
    await using it = await running([builder([], { capacity: { milliCpu: 9_000, memoryMib: 1 } })]);
    await it.start();
    await it.secret("st-1", { REGISTRY_USERNAME: "me" });
    await it.put(
      wanted("im-1", { recipe: recipe({ secretIds: ["st-9"] }) }),
      wanted("im-2", { recipe: recipe({ registry: { kind: "static", secretId: "st-1" } }) }),
    );
    const [gone, lacking] = [await it.find("im-1"), await it.find("im-2")];
    assert.match(gone?.failure?.message ?? "", /^Secret st-9 does not exist/);
    assert.match(lacking?.failure?.message ?? "", /does not have REGISTRY_PASSWORD/);
    assert.deepEqual([gone?.state, lacking?.state, it.built.length], ["failed", "failed", 0]);
  });
});

describe("a build", () => {
  it("that takes longer than it may ends as a timeout, and its worker is told", async () => {
    await using it = await running();
    await it.start();
    await it.put(wanted("im-1"));
    await it.clock.advance(3_599_000);
    await it.clock.settle();
    assert.equal((await it.find("im-1"))?.state, "building");
    await it.clock.advance(2_000);
    await it.clock.settle();
    const { state, failure } = (await it.find("im-1")) ?? {};
    assert.deepEqual([state, failure?.status], ["failed", "timeout"]);
    assert.match(failure?.message ?? "", /longer than 60 minutes/);
    assert.deepEqual(it.stopped, ["im-1"]);
  });

  it("of a function has the time of that on top", async () => {
    await using it = await running();
    const called = { name: "build", identity: "x", sha256: "", mostMs: 7_200_000 };
    const since = it.clock.now();
    const building = { state: "building", since, workerId: "local", fence: "f", built: undefined } as const;
    await it.put(image({ id: "im-1", ...building, recipe: recipe({ called }) }));
    await it.start();
    await it.clock.advance(3_600_000 + 7_199_000);
    assert.deepEqual(it.stopped, []);
    await it.clock.advance(1_000);
    await it.clock.settle();
    assert.deepEqual(it.stopped, ["im-1"]);
  });

  it("leaves its place to the next one", async () => {
    await using it = await running();
    await it.start();
    await it.put(wanted("im-1"), wanted("im-2"));
    assert.deepEqual(
      it.built.map((each) => each.image.id),
      ["im-1"],
    );
    await it.put({ ...image({ id: "im-1", key: "im-1" }) });
    assert.deepEqual(
      it.built.map((each) => each.image.id),
      ["im-1", "im-2"],
    );
  });
});
