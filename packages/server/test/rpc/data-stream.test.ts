/** The stream of what a call's code gives: what is there, then what comes, in order and whole, until its time is up. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type DataChunk, DataFormat } from "@lydian/contract";

import { dataBell } from "../../src/domain/bells.ts";
import { isFail } from "../../src/errors.ts";
import { World, rpc } from "../support/world.ts";

const caller = { kind: "user", tokenId: "ak-owner" } as const;

/** A call that a container runs; `give` says what its code gives, `read` follows it. */
async function running() {
  const world = await World.begin();
  const callId = await world.submit("x");
  await world.join();
  await world.clock.settle();
  const [id = ""] = world.worker.containers.keys();
  world.worker.run(id);
  await world.asContainer(id, rpc.containerHello, {});
  await world.asContainer(id, rpc.functionGetInputs, { inputConcurrency: 1 });
  const give = (first: number, ...items: Uint8Array[]) =>
    world.asContainer(id, rpc.functionCallPutDataOut, {
      callInfo: { case: "functionCallId", value: callId },
      dataChunks: items.map((value, n) => ({
        index: BigInt(first + n),
        dataFormat: DataFormat.PICKLE,
        dataOneof: { case: "data" as const, value },
      })),
    });
  const read = (seen: DataChunk[], lastIndex = 0, signal?: AbortSignal, of = callId): Promise<void> =>
    world.repeating(async (server) => {
      const request = { callInfo: { case: "functionCallId" as const, value: of }, lastIndex: BigInt(lastIndex) };
      const stream = server.stream(rpc.functionCallGetDataOut, request, { caller, ...(signal && { signal }) });
      for await (const chunk of stream) seen.push(chunk);
    });
  return { world, callId, id, give, read, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const indexes = (chunks: readonly DataChunk[]): number[] => chunks.map(({ index }) => Number(index));

describe("a stream of data", () => {
  it("gives what is there and what comes, in order, with its format", async () => {
    await using it = await running();
    await it.give(1, bytes("a"), bytes("b"));
    const seen: DataChunk[] = [];
    const reading = it.read(seen);
    await it.world.clock.settle();
    assert.deepEqual(indexes(seen), [1, 2]);
    await it.give(3, bytes("c"));
    await it.world.clock.settle();
    assert.deepEqual(indexes(seen), [1, 2, 3]);
    assert.deepEqual([seen[2]?.dataFormat, seen[2]?.dataOneof.value], [DataFormat.PICKLE, bytes("c")]);
    await it.world.until(reading, 60_000);
  });

  it("goes on after what its reader has, on another server too", async () => {
    await using it = await running();
    await it.give(1, bytes("a"), bytes("b"), bytes("c"));
    (await it.world.server()).kill();
    const seen: DataChunk[] = [];
    const reading = it.read(seen, 2);
    await it.world.until(reading, 60_000);
    assert.deepEqual(indexes(seen), [3]);
  });

  it("gives a repeated attempt's items once", async () => {
    await using it = await running();
    await it.give(1, bytes("a"), bytes("b"));
    const seen: DataChunk[] = [];
    const reading = it.read(seen);
    await it.world.clock.settle();
    await it.give(1, bytes("again"), bytes("again"), bytes("c"));
    await it.world.until(reading, 60_000);
    assert.deepEqual(
      seen.map(({ dataOneof }) => Buffer.from(dataOneof.value as Uint8Array).toString()),
      ["a", "b", "c"],
    );
  });

  it("gives large ones whole, though it reads a portion at a time", async () => {
    await using it = await running();
    const large = Array.from({ length: 12 }, (_, n) => new Uint8Array(1024 * 1024).fill(n + 1));
    for (const [n, item] of large.entries()) await it.give(n + 1, item);
    const seen: DataChunk[] = [];
    const reading = it.read(seen);
    await it.world.until(reading, 60_000);
    assert.deepEqual(
      seen.map(({ dataOneof }) => dataOneof.value),
      large,
    );
  });

  it("lasts as long as a request is held, and then ends: the clients ask again", async () => {
    await using it = await running();
    const tookMs = await it.world.until(it.read([]), 60_000);
    assert.equal(tookMs, 50_000);
  });

  it("leaves nobody waiting when its reader goes", async () => {
    await using it = await running();
    const leaves = new AbortController();
    const reading = it.read([], 0, leaves.signal);
    await it.world.clock.settle();
    const { bells } = await it.world.server();
    assert.equal(bells.waiting(dataBell(it.callId)), 1);
    leaves.abort(new Error("gone"));
    await assert.rejects(reading, /gone/);
    assert.equal(bells.waiting(dataBell(it.callId)), 0);
  });

  it("of a call that does not exist says so", async () => {
    await using it = await running();
    await assert.rejects(it.read([], 0, undefined, "fc-none"), (error) => isFail(error, "notFound"));
  });
});
