/** How requests travel: bundled where the platform takes that, alone elsewhere, and each answered once or refused. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, it, test } from "node:test";

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { bundle as wire, frame, FrameReader } from "@lydian/contract";

import { carryPath } from "../../src/client/bundle.ts";
import { Channel } from "../../src/client/channel.ts";
import { StatusError } from "../../src/client/status.ts";

type Answer = Pick<wire.BundledAnswer, "reply" | "trailers">;

interface Peer extends AsyncDisposable {
  readonly url: string;
  /** Paths of streams, in the order in which they came. */
  readonly streams: string[];
  readonly givenUp: number[];
  readonly sessions: Set<http2.ServerHttp2Session>;
}

/** A platform that answers with what it was asked; `undefined` is no answer. */
async function peer(
  answer: (call: wire.BundledCall) => Answer | Promise<Answer> | undefined,
  takesBundles = true,
): Promise<Peer> {
  const server = http2.createServer();
  const found = { streams: [] as string[], givenUp: [] as number[], sessions: new Set<http2.ServerHttp2Session>() };
  server.on("session", (session) => found.sessions.add(session));
  server.on("stream", (stream: http2.ServerHttp2Stream, headers) => {
    const path = String(headers[":path"]);
    found.streams.push(path);
    stream.on("error", () => {});
    if (path === carryPath && !takesBundles) {
      stream.respond({ ":status": 200, "grpc-status": "12" }, { endStream: true });
      return;
    }
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    const reader = new FrameReader(1e6, () => new Error("too large"));
    stream.on("data", (piece: Buffer) => {
      for (const message of reader.push(piece)) {
        if (path !== carryPath) stream.end(frame(message));
        else carry(stream, fromBinary(wire.CarryRequestSchema, message));
      }
    });
    stream.on("end", () => stream.end());
  });
  const give = (stream: http2.ServerHttp2Stream, { number }: wire.BundledCall, given: Answer): void => {
    const answers = [{ number, ...given }];
    stream.write(frame(toBinary(wire.CarryResponseSchema, create(wire.CarryResponseSchema, { answers }))));
  };
  const carry = (stream: http2.ServerHttp2Stream, { calls, givenUp }: wire.CarryRequest): void => {
    found.givenUp.push(...givenUp);
    for (const call of calls) {
      const given = answer(call);
      if (given instanceof Promise) void given.then((later) => give(stream, call, later));
      else if (given !== undefined) give(stream, call, given);
    }
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    ...found,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const session of found.sessions) session.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const echo = ({ request }: wire.BundledCall): Answer => ({ reply: request, trailers: {} });
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const options = { headers: {}, timeoutMs: 10_000 };
const ask = async (channel: Channel, value: string, more = {}): Promise<string> =>
  new TextDecoder().decode((await channel.unary("/a.B/C", text(value), { ...options, ...more })).message);

describe("a channel", () => {
  it("sends what is small on one stream, and what is large on one of its own", async () => {
    await using platform = await peer(echo);
    const channel = new Channel(platform.url, {});
    assert.deepEqual(await Promise.all(["a", "b", "c"].map((each) => ask(channel, each))), ["a", "b", "c"]);
    assert.equal(await ask(channel, "d"), "d");
    const large = "x".repeat(100_000);
    assert.equal(await ask(channel, large), large);
    assert.deepEqual(platform.streams, [carryPath, "/a.B/C"]);
    channel.close();
  });

  it("sends each alone to a platform that takes no bundles", async () => {
    await using platform = await peer(echo, false);
    const channel = new Channel(platform.url, {});
    assert.equal(await ask(channel, "a"), "a");
    assert.equal(await ask(channel, "b"), "b");
    assert.deepEqual(platform.streams, [carryPath, "/a.B/C", "/a.B/C"]);
    channel.close();
  });

  it("tells a refusal, a deadline and a caller's change of mind, and the platform hears of the last two", async () => {
    await using platform = await peer(({ request }) => {
      if (request.byteLength > 1) return undefined;
      return { reply: new Uint8Array(), trailers: { "grpc-status": "5", "grpc-message": "none%20such" } };
    });
    const channel = new Channel(platform.url, {});
    await assert.rejects(ask(channel, "a"), (error) => error instanceof StatusError && error.code === 5);
    await assert.rejects(ask(channel, "long", { timeoutMs: 20 }), /not answered within 20 ms/);
    const stop = new AbortController();
    const asked = ask(channel, "long", { signal: stop.signal });
    stop.abort(new Error("enough"));
    await assert.rejects(asked, /enough/);
    await assert.rejects(ask(channel, "a"), /none such/);
    assert.deepEqual(platform.givenUp, [2, 3]);
    channel.close();
  });

  it("fails what is under way when the connection is lost, and opens another for what comes then", async () => {
    await using platform = await peer((call) => (call.number > 1 ? undefined : echo(call)));
    const channel = new Channel(platform.url, {});
    assert.equal(await ask(channel, "a"), "a");
    const lost = ask(channel, "b");
    lost.catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
    for (const session of platform.sessions) session.destroy();
    await assert.rejects(lost, (error) => error instanceof StatusError && error.code === 14);
    assert.equal(await ask(channel, "c"), "c");
    channel.close();
  });
});

test("on a connection that takes no more what is under way ends, and the next goes on another", async () => {
  const late = Promise.withResolvers<Answer>();
  const asked = Promise.withResolvers<wire.BundledCall>();
  await using platform = await peer((call) => {
    if (new TextDecoder().decode(call.request) !== "first") return echo(call);
    asked.resolve(call);
    return late.promise;
  });
  const channel = new Channel(platform.url, {});
  const first = ask(channel, "first");
  const call = await asked.promise;
  const [session] = platform.sessions;
  assert.ok(session);
  const over = once(session, "close");
  session.goaway();
  await new Promise((resolve) => session.ping(resolve)); // answered after the word of it was read
  assert.equal(await ask(channel, "second"), "second");
  assert.equal(platform.sessions.size, 2);
  late.resolve(echo(call));
  assert.equal(await first, "first");
  await over;
  channel.close();
});
