/** The gRPC server as clients meet it: identity, access, errors, warnings, streams. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";
import { AnySchema, anyUnpack } from "@bufbuild/protobuf/wkt";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import * as grpc from "@grpc/grpc-js";
import { FunctionLookupErrorSchema, ModalClient, worker as wire } from "@lydian/contract";
import { PlatformError, silentLogger } from "@lydian/kit";

import { fail } from "../../src/errors.ts";
import { anyone, bind, type Call, container, isClassName, type Rpcs, user, worker } from "../../src/rpc/adapter.ts";
import { rpcClient, startDoor, startRig, tokenHeaders } from "../ingress/rig.ts";

type Family = Rpcs<typeof ModalClient>;
const { method } = ModalClient;

function refusal(code: grpc.status, text: RegExp): (error: unknown) => boolean {
  return (error) => {
    const { code: found, details } = error as grpc.ServiceError;
    assert.equal(found, code, details);
    assert.match(details, text);
    return true;
  };
}

async function withFamily(
  family: Family,
  use: (client: ReturnType<typeof rpcClient>, port: number) => Promise<void>,
  rpc = {},
) {
  await using rig = await startRig({ rpcs: bind(ModalClient, family), rpc });
  using client = rpcClient(`127.0.0.1:${rig.port.number}`);
  await use(client, rig.port.number);
}

test("a user is known by a token; a missing and a wrong one are told apart", async () => {
  const family: Family = {
    appCreate: user(async (request, call) => ({ appId: `${request.description} ${call.caller.tokenId}` })),
    clientHello: anyone(async (_request, call) => ({ warning: call.caller.kind })),
    containerHello: container(async () => ({})),
  };
  await withFamily(family, async (client) => {
    const { message } = await client.unary(method.appCreate, { description: "hello" });
    assert.equal(message.appId, "hello ak-test");
    await assert.rejects(
      client.unary(method.appCreate, {}, {}),
      refusal(grpc.status.UNAUTHENTICATED, /AppCreate needs a token.*lydian setup/),
    );
    const wrong = { ...tokenHeaders, "x-modal-token-secret": "as-other" };
    await assert.rejects(
      client.unary(method.appCreate, {}, wrong),
      refusal(grpc.status.UNAUTHENTICATED, /Token ak-test .*wrong/),
    );
    assert.equal((await client.unary(method.clientHello, {}, {})).message.warning, "anyone");
    assert.equal((await client.unary(method.clientHello, {})).message.warning, "user");
    await assert.rejects(
      client.unary(method.clientHello, {}, wrong),
      refusal(grpc.status.UNAUTHENTICATED, /secret is wrong/),
    );
    await assert.rejects(
      client.unary(method.containerHello, {}),
      refusal(grpc.status.PERMISSION_DENIED, /Only containers may do this \(ContainerHello\). Do it within a function/),
    );
    await assert.rejects(
      client.unary(method.containerHello, {}, {}),
      refusal(grpc.status.PERMISSION_DENIED, /Only containers may do this/),
    );
  });
});

test("an authentication that takes time, or fails", async () => {
  const family: Family = { appCreate: user(async () => ({ appId: "ap-1" })) };
  await withFamily(
    family,
    async (client) => {
      assert.equal((await client.unary(method.appCreate, {})).message.appId, "ap-1");
    },
    { authenticate: async () => true },
  );
  await withFamily(
    family,
    async (client) => {
      await assert.rejects(client.unary(method.appCreate, {}), refusal(grpc.status.INTERNAL, /incident [0-9a-f]{12}/));
    },
    { authenticate: async () => Promise.reject(new Error("the store is on fire")) },
  );
});

test("what is not implemented says its name, and needs no token", async () => {
  await withFamily({ appCreate: user(async () => ({})) }, async (client) => {
    await assert.rejects(
      client.unary(method.appStop, {}, {}),
      refusal(grpc.status.UNIMPLEMENTED, /\/modal\.client\.ModalClient\/AppStop/),
    );
    const unknown = (path: string) =>
      new Promise((_resolve, reject) => {
        client.raw.makeUnaryRequest(
          path,
          () => Buffer.alloc(0),
          (b) => b,
          {},
          (error) => reject(error),
        );
      });
    await assert.rejects(
      unknown("/modal.client.ModalClient/VolumeCommit"),
      refusal(grpc.status.UNIMPLEMENTED, /VolumeCommit/),
    );
    await assert.rejects(
      unknown("/other.Service/Method"),
      refusal(grpc.status.UNIMPLEMENTED, /other\.Service\/Method/),
    );
  });
});

test("a container is known by its door, also on the second RPC, and a token in it changes nothing", async () => {
  const family: Family = {
    containerHello: container(async (_request, call) => (assert.equal(call.caller.id, "ta-1"), {})),
    appCreate: user(async () => ({})),
    clientHello: anyone(async (_request, call) => ({ warning: call.caller.kind })),
  };
  await using rig = await startRig({
    rpcs: bind(ModalClient, family),
    port: { resolveDoor: async (secret) => (secret === "s3cret" ? { kind: "container", id: "ta-1" } : undefined) },
  });
  await using door = await startDoor(rig.port.number, "s3cret");
  using client = rpcClient(`127.0.0.1:${door.port}`);
  await client.unary(method.containerHello, {}, {});
  await client.unary(method.containerHello, {}, {});
  assert.equal((await client.unary(method.clientHello, {})).message.warning, "container");
  await assert.rejects(
    client.unary(method.appCreate, {}),
    refusal(grpc.status.PERMISSION_DENIED, /Only users may do this \(AppCreate\)/),
  );
});

test("errors become statuses by the table; what is unexpected becomes an incident", async () => {
  const logged: unknown[] = [];
  const logger = { ...silentLogger, error: (entry: unknown) => logged.push(entry) };
  const thrown: Record<string, unknown> = {
    known: fail("notFound", "App ap-1 does not exist", { hint: "list them with `modal app list`" }),
    details: fail("notFound", "No function C.", { details: [isClassName()] }),
    platform: new PlatformError("the folder is locked", { hint: "wait" }),
    bug: new Error("secret stack"),
    long: fail("invalidArgument", `\ud800 ${"é".repeat(20_000)}\n100%`),
  };
  const family: Family = { appCreate: user(async (request) => Promise.reject(thrown[request.description] as Error)) };
  await withFamily(
    family,
    async (client) => {
      const call = (description: string) => client.unary(method.appCreate, { description });
      await assert.rejects(
        call("known"),
        refusal(grpc.status.NOT_FOUND, /^App ap-1 does not exist\. List them with `modal app list`\.$/),
      );
      await assert.rejects(
        call("platform"),
        refusal(grpc.status.FAILED_PRECONDITION, /^the folder is locked\. Wait\.$/),
      );
      await assert.rejects(call("long"), refusal(grpc.status.INVALID_ARGUMENT, /^\ufffd é+…$/));
      assert.equal(logged.length, 0);
      await assert.rejects(call("bug"), refusal(grpc.status.INTERNAL, /^Something went wrong .*incident [0-9a-f]{12}/));
      await assert.rejects(call("bug"), (error: Error) => !error.message.includes("secret"));
      assert.match(JSON.stringify(logged[0]), /incident/);
      await assert.rejects(call("details"), (error: grpc.ServiceError) => {
        const detail = firstDetail(error.metadata.get("grpc-status-details-bin")[0] as Buffer);
        assert.equal(anyUnpack(detail, FunctionLookupErrorSchema)?.reason, 1);
        return true;
      });
    },
    { logger },
  );
});

function firstDetail(status: Buffer) {
  const reader = new BinaryReader(status);
  for (;;) {
    const [field, type] = reader.tag();
    if (field === 3) return fromBinary(AnySchema, reader.bytes());
    reader.skip(type);
  }
}

test("a request that cannot be decoded is refused for good", async () => {
  await withFamily({ appCreate: user(async () => ({})) }, async (client) => {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(tokenHeaders)) metadata.set(name, value);
    const broken = new Promise((_resolve, reject) => {
      client.raw.makeUnaryRequest(
        "/modal.client.ModalClient/AppCreate",
        () => Buffer.from([0x0a, 0xff]),
        (b) => b,
        {},
        metadata,
        (error) => reject(error),
      );
    });
    await assert.rejects(
      broken,
      refusal(grpc.status.INVALID_ARGUMENT, /AppCreate is not a valid modal\.client\.AppCreateRequest/),
    );
  });
});

test("metadata and warnings", async () => {
  let seen: Call | undefined;
  const observed: unknown[] = [];
  const family: Family = {
    appCreate: user(async (request, call) => {
      seen = call;
      call.warn("100% new: é");
      call.warn("second");
      if (request.description === "fail") throw fail("aborted", "no");
      return {};
    }),
  };
  await withFamily(
    family,
    async (client) => {
      const headers = {
        ...tokenHeaders,
        "x-modal-client-version": "1.6.4",
        "x-modal-client-type": "1",
        "x-idempotency-key": "k",
        "x-retry-attempt": "2",
      };
      const { trailers } = await client.unary(method.appCreate, {}, headers);
      assert.deepEqual(trailers.get("x-modal-warning").join().split(/, ?/), ["100%25%20new%3A%20%C3%A9", "second"]);
      assert.deepEqual(
        [seen?.rpc, seen?.clientVersion, seen?.clientType, seen?.idempotencyKey, seen?.retryAttempt],
        ["AppCreate", "1.6.4", 1, "k", 2],
      );
      assert.equal(seen?.deadlineMs, Number.POSITIVE_INFINITY);
      assert.equal(seen?.signal.aborted, false);
      await assert.rejects(
        client.unary(method.appCreate, { description: "fail" }),
        (error: grpc.ServiceError) => error.metadata.get("x-modal-warning").length > 0,
      );
      assert.deepEqual(observed, [
        ["AppCreate", 0],
        ["AppCreate", 10],
      ]);
    },
    { observe: (rpc: string, ms: number, status: number) => ms >= 0 && observed.push([rpc, status]) },
  );
});

test("cancellation and deadlines abort the signal of a unary call", async () => {
  const reasons: string[] = [];
  const ended = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const family: Family = {
    appCreate: user(async (_request, call) => {
      if (call.deadlineMs === Number.POSITIVE_INFINITY) arrived.resolve();
      await once(call.signal, "abort");
      reasons.push((call.signal.reason as { code: string }).code);
      if (reasons.length === 2) ended.resolve();
      throw call.signal.reason;
    }),
  };
  await withFamily(family, async (client) => {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(tokenHeaders)) metadata.set(name, value);
    const start = (deadline: number) =>
      client.raw.makeUnaryRequest(
        "/modal.client.ModalClient/AppCreate",
        () => Buffer.alloc(0),
        (b) => b,
        {},
        metadata,
        { deadline },
        () => {},
      );
    start(Date.now() + 1_000); // long enough for the request to arrive on a busy machine
    const call = start(Number.POSITIVE_INFINITY);
    await arrived.promise;
    call.cancel();
    await ended.promise;
    // Whose clock strikes first is open: a client whose deadline has passed cancels as well.
    assert.equal(reasons[0], "cancelled");
    assert.match(reasons[1] ?? "", /^(?:deadlineExceeded|cancelled)$/);
  });
});

test("a stream obeys back-pressure, and its generator's return() is called when the client leaves", async () => {
  let yielded = 0;
  const returned = Promise.withResolvers<void>();
  const family: Family = {
    appGetLogs: user(async function* () {
      try {
        for (;;) yield { entryId: `${++yielded} ${"x".repeat(100_000)}` };
      } finally {
        returned.resolve();
      }
    }),
  };
  await withFamily(family, async (client) => {
    const stream = client.stream(method.appGetLogs, {});
    stream.on("error", () => {});
    await once(stream, "readable");
    let before = -1;
    while (before !== yielded) {
      before = yielded;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(yielded < 500, `${yielded} messages were made for a client that does not read`);
    stream.cancel();
    await returned.promise;
  });
});

test("a sleeping stream hears of the end of its client; a failing one ends with a status", async () => {
  const woken = Promise.withResolvers<unknown>();
  const family: Family = {
    appGetLogs: user(async function* (request, call) {
      yield { entryId: "first" };
      if (request.appId === "fail") throw fail("notFound", "No such app.");
      if (request.appId === "end") return;
      await once(call.signal, "abort");
      woken.resolve(call.signal.reason);
    }),
  };
  await withFamily(family, async (client) => {
    const read = async (appId: string) => {
      const entries: string[] = [];
      for await (const batch of client.stream(method.appGetLogs, { appId }))
        entries.push((batch as { entryId: string }).entryId);
      return entries;
    };
    assert.deepEqual(await read("end"), ["first"]);
    await assert.rejects(read("fail"), refusal(grpc.status.NOT_FOUND, /No such app/));
    const sleeping = client.stream(method.appGetLogs, {});
    sleeping.on("error", () => {}).on("data", () => sleeping.cancel());
    assert.equal(((await woken.promise) as { code: string }).code, "cancelled");
  });
});

test("a worker's session goes both ways, and ends on either side", async () => {
  const ends: string[] = [];
  const ended = Promise.withResolvers<void>();
  const sessions: Rpcs<typeof wire.Workers> = {
    session: worker(async function* (requests, call) {
      try {
        for await (const { message } of requests) {
          if (message.case === "join") yield { message: { case: "welcome", value: { leaseSeconds: 10n } } };
          if (message.case === "renew") throw fail("aborted", `${call.caller.id} must join first.`);
        }
        ends.push("half-close");
      } catch (error) {
        ends.push((error as { code: string }).code);
        if (ends.length === 3) ended.resolve();
        throw error;
      }
    }),
  };
  await using rig = await startRig({
    rpcs: bind(wire.Workers, sessions),
    port: { resolveDoor: () => ({ kind: "worker", id: "wo-1" }) },
  });
  await using door = await startDoor(rig.port.number, "any");
  using client = rpcClient(`127.0.0.1:${door.port}`);
  const open = () => client.bidi(wire.Workers.method.session);

  const polite = open();
  polite.write({ message: { case: "join", value: { workerId: "wo-1" } } });
  const [welcome] = (await once(polite, "data")) as [{ message: { case: string } }];
  assert.equal(welcome.message.case, "welcome");
  polite.end();
  polite.resume();
  await once(polite, "end");

  const wrong = open();
  wrong.write({ message: { case: "renew", value: {} } });
  wrong.resume();
  const [refused] = (await once(wrong, "error")) as [grpc.ServiceError];
  assert.match(refused.details, /wo-1 must join first/);

  const lost = open();
  lost.on("error", () => {}).write({ message: { case: "join", value: {} } });
  await once(lost, "data");
  rig.port.cutDoors("wo-1");
  await ended.promise;
  assert.deepEqual(ends, ["half-close", "aborted", "cancelled"]);

  using outside = rpcClient(`127.0.0.1:${rig.port.number}`);
  const stranger = outside.bidi(wire.Workers.method.session, tokenHeaders);
  stranger.resume();
  const [denied] = (await once(stranger, "error")) as [grpc.ServiceError];
  assert.equal(denied.code, grpc.status.PERMISSION_DENIED);
});
