/** Calls that share one stream: each is answered as if it had come alone. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { AppCreateRequestSchema, AppCreateResponseSchema, bundle, ModalClient } from "@lydian/contract";
import * as grpc from "@grpc/grpc-js";

import { fail } from "../../src/errors.ts";
import { bind, type Rpcs, user } from "../../src/rpc/adapter.ts";
import { rpcClient, startRig, tokenHeaders } from "../ingress/rig.ts";

const path = "/modal.client.ModalClient/AppCreate";
const request = (description: string) =>
  toBinary(AppCreateRequestSchema, create(AppCreateRequestSchema, { description }));
const call = (number: number, description: string, headers: Record<string, string> = {}) => ({
  ...{ number, path, timeoutMs: 10_000, headers },
  request: request(description),
});

type Stream = ReturnType<ReturnType<typeof rpcClient>["bidi"]>;

/** The answers to come, by number. */
async function answers(stream: Stream, count: number): Promise<Map<number, bundle.BundledAnswer>> {
  const found = new Map<number, bundle.BundledAnswer>();
  for await (const message of stream as AsyncIterable<bundle.CarryResponse>) {
    for (const answer of message.answers) found.set(answer.number, answer);
    if (found.size >= count) break;
  }
  return found;
}

async function withStream(
  family: Rpcs<typeof ModalClient>,
  use: (stream: Stream) => Promise<void>,
  headers: Record<string, string> = tokenHeaders,
): Promise<void> {
  await using rig = await startRig({ rpcs: bind(ModalClient, family) });
  using client = rpcClient(`127.0.0.1:${rig.port.number}`);
  const stream = client.bidi(bundle.Bundles.method.carry, headers);
  stream.on("error", () => {}); // it is broken off in the end
  await use(stream);
  stream.cancel();
}

test("answers come as they are ready, with what was said beside them", async () => {
  const slow = Promise.withResolvers<void>();
  const family: Rpcs<typeof ModalClient> = {
    appCreate: user(async ({ description }, asked) => {
      const { idempotencyKey, caller } = asked;
      if (description === "slow") await slow.promise;
      if (description === "none") throw fail("notFound", "There is none – ≠.");
      if (description === "warned") asked.warn("mind it");
      return { appId: `${description} ${idempotencyKey} ${caller.tokenId}` };
    }),
  };
  await withStream(family, async (stream) => {
    const calls = [call(1, "slow"), call(2, "fast", { "x-idempotency-key": "k2" }), call(3, "none"), call(4, "warned")];
    stream.write({ calls, givenUp: [] });
    const found = await answers(stream, 3);
    assert.deepEqual(
      [...found.keys()].toSorted((a, b) => a - b),
      [2, 3, 4],
    );
    const reply = (number: number): string =>
      fromBinary(AppCreateResponseSchema, found.get(number)?.reply ?? new Uint8Array()).appId;
    assert.equal(reply(2), `fast k2 ${tokenHeaders["x-modal-token-id"]}`);
    assert.deepEqual(found.get(2)?.trailers, {});
    assert.equal(found.get(3)?.trailers["grpc-status"], "5");
    assert.equal(decodeURIComponent(found.get(3)?.trailers["grpc-message"] ?? ""), "There is none – ≠.");
    assert.equal(found.get(4)?.trailers["x-modal-warning"], "mind%20it");
    slow.resolve();
  });
});

test("one that is given up is told so, and so are all when the stream ends", async () => {
  const begun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const stopped: Record<string, PromiseWithResolvers<void>> = {
    one: Promise.withResolvers<void>(),
    other: Promise.withResolvers<void>(),
  };
  const family: Rpcs<typeof ModalClient> = {
    appCreate: user(async ({ description }, { signal }) => {
      signal.addEventListener("abort", () => stopped[description]?.resolve());
      begun.shift()?.resolve();
      await new Promise(() => {});
      return {};
    }),
  };
  const [first, second] = begun.map(({ promise }) => promise);
  await withStream(family, async (stream) => {
    stream.write({ calls: [call(1, "one"), call(2, "other")], givenUp: [] });
    await first;
    await second;
    stream.write({ calls: [], givenUp: [1] });
    await stopped["one"]?.promise;
    stream.cancel();
    await stopped["other"]?.promise;
  });
});

test("who is nobody has none, a stream of answers is not bundled, and neither is a bundle", async () => {
  const family: Rpcs<typeof ModalClient> = {
    appCreate: user(async () => ({ appId: "ap" })),
    appGetLogs: user(async function* () {
      yield {};
    }),
  };
  await withStream(family, async (stream) => {
    const others = ["/modal.client.ModalClient/AppGetLogs", "/lydian.bundle.Bundles/Carry"];
    const calls = others.map((other, at) => ({ ...call(at + 1, ""), path: other, request: new Uint8Array() }));
    stream.write({ calls, givenUp: [] });
    const found = await answers(stream, 2);
    assert.deepEqual(
      [...found.values()].map(({ trailers }) => trailers["grpc-status"]),
      ["12", "12"],
    );
  });
  const ended = async (stream: Stream): Promise<number> => {
    const status = await new Promise<grpc.StatusObject>((resolve) => stream.once("status", resolve));
    return status.code;
  };
  await withStream(
    family,
    async (stream) => {
      stream.resume();
      assert.equal(await ended(stream), grpc.status.UNAUTHENTICATED);
    },
    {},
  );
  await withStream(family, async (stream) => {
    stream.resume();
    stream.write({ calls: [call(1, "a"), call(1, "a")], givenUp: [] });
    assert.equal(await ended(stream), grpc.status.INVALID_ARGUMENT);
  });
});

test("a stream whose client has said its last is ended when all is answered", async () => {
  const family: Rpcs<typeof ModalClient> = { appCreate: user(async ({ description }) => ({ appId: description })) };
  await withStream(family, async (stream) => {
    const status = new Promise<grpc.StatusObject>((resolve) => stream.once("status", resolve));
    const all = Array.from({ length: 3000 }, (_, at) => call(at, "x".repeat(1000)));
    stream.write({ calls: all, givenUp: [] });
    stream.end();
    let count = 0;
    for await (const message of stream as AsyncIterable<bundle.CarryResponse>) count += message.answers.length;
    assert.equal(count, 3000);
    assert.equal((await status).code, grpc.status.OK);
  });
});
