/** An app's log from its containers to its client: in order, once, over a killed server, until the app is done. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { FileDescriptor, type TaskLogsBatch, worker as wire } from "@lydian/contract";

import { World, rpc } from "../support/world.ts";

/** A world whose worker runs one container that only writes. */
async function writing() {
  const world = await World.begin();
  await world.submit("x");
  await world.join();
  await world.clock.settle();
  const [held] = [...world.worker.containers.values()];
  if (held === undefined) throw new Error("no container was assigned");
  let offset = 0n;
  const write = (...texts: string[]): void => {
    const lines = texts.map((text) => ({
      stream: wire.Logs_Stream.STDOUT,
      timeMs: 1_500n,
      data: new TextEncoder().encode(text),
    }));
    const endOffset = offset + BigInt(texts.join("").length);
    const value = { containerId: held.id, fence: held.fence, offset, endOffset, lines };
    world.worker.send({ case: "logs", value });
    offset = endOffset;
  };
  return { world, held, write, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

/** The client's reading: goes on after the last entry that it has seen, as often as it must. */
async function follow(world: World, seen: TaskLogsBatch[], isEnough: () => boolean, from = ""): Promise<void> {
  while (!isEnough()) {
    await world.repeating(async (server) => {
      const request = { appId: world.appId, timeout: 55, lastEntryId: seen.at(-1)?.entryId ?? from };
      for await (const batch of server.stream(rpc.appGetLogs, request, {
        caller: { kind: "user", tokenId: "ak-owner" },
      })) {
        seen.push(batch);
        if (isEnough()) return;
      }
    });
  }
}

const textsOf = (batches: readonly TaskLogsBatch[]): string[] =>
  batches.flatMap(({ items }) => items.map(({ data }) => data));

describe("a client that follows the log", () => {
  it("sees what is there and what comes, with its stream, time and container", async () => {
    await using it = await writing();
    const seen: TaskLogsBatch[] = [];
    it.write("a\n", "b\n");
    const following = follow(it.world, seen, () => textsOf(seen).length >= 3);
    while (textsOf(seen).length < 2) await it.world.rest(); // files are written at their own pace
    it.write("c\n");
    await following;
    assert.deepEqual(textsOf(seen), ["a\n", "b\n", "c\n"]);
    const [first] = seen;
    assert.deepEqual([first?.taskId, first?.functionId], [it.held.id, it.world.functionId]);
    const item = first?.items[0];
    assert.deepEqual([item?.fileDescriptor, item?.timestamp], [FileDescriptor.STDOUT, 1.5]);
  });

  it("misses nothing and sees nothing twice when the server is killed", async () => {
    await using it = await writing();
    const { world } = it;
    const seen: TaskLogsBatch[] = [];
    it.write("a\n");
    const following = follow(world, seen, () => textsOf(seen).includes("z\n"));
    while (textsOf(seen).length < 1) await world.rest();
    (await world.server()).kill();
    await world.server();
    await world.join();
    it.write("b\n");
    it.write("z\n");
    await following;
    assert.deepEqual(textsOf(seen), ["a\n", "b\n", "z\n"]);
  });

  it("is told when the app is done, after the last line", async () => {
    await using it = await writing();
    const { world } = it;
    const seen: TaskLogsBatch[] = [];
    const following = follow(world, seen, () => seen.at(-1)?.appDone === true);
    it.write("last words\n");
    await world.asUser(rpc.appClientDisconnect, { appId: world.appId });
    await following;
    assert.deepEqual(textsOf(seen), ["last words\n"]);
    assert.equal(seen.at(-1)?.appDone, true);
    world.check("after the app's end");
  });

  it("is answered without a line when its time is up", async () => {
    await using it = await writing();
    const { world } = it;
    const server = await world.server();
    const seen: TaskLogsBatch[] = [];
    const request = { appId: world.appId, timeout: 20 };
    const reading = (async () => {
      const caller = { kind: "user", tokenId: "ak-owner" } as const;
      for await (const batch of server.stream(rpc.appGetLogs, request, { caller })) seen.push(batch);
    })();
    await world.until(reading, 25_000);
    assert.deepEqual(seen, []);
  });
});

describe("a client that is cut off", () => {
  it("goes on after any batch, also between those that were read together", async () => {
    await using world = await World.begin();
    await world.submit("x");
    await world.submit("y");
    await world.join();
    await world.clock.settle();
    const containers = [...world.worker.containers.values()];
    assert.equal(containers.length, 2);
    for (const [offset, text] of ["1\n", "é\n", "3\n"].entries()) {
      for (const { id: containerId, fence } of containers) {
        const line = { stream: wire.Logs_Stream.STDOUT, timeMs: 1n, data: new TextEncoder().encode(text) };
        const value = { containerId, fence, offset: BigInt(offset), endOffset: BigInt(offset + 1), lines: [line] };
        world.worker.send({ case: "logs", value });
      }
    }
    const read = async (lastEntryId: string): Promise<TaskLogsBatch[]> => {
      const seen: TaskLogsBatch[] = [];
      await follow(world, seen, () => textsOf(seen).length === 6 - done, lastEntryId);
      return seen;
    };
    let done = 0;
    await read(""); // as it comes
    const all = await read(""); // as it is
    assert.ok(all.length > 1);
    for (const batch of all) {
      done += batch.items.length;
      assert.deepEqual(textsOf(await read(batch.entryId)), textsOf(all).slice(done));
    }
  });
});
