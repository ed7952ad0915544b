/** The port against connections of every sort, well-meant or not. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { BoundSocket, connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { ModalClient } from "@lydian/contract";
import type { FastifyPluginAsync } from "fastify";

import { identityOf } from "../../src/ingress/identity.ts";
import { anyone, bind, user } from "../../src/rpc/adapter.ts";
import { rawConnection, readAll, rpcClient, startDoor, startRig, temporaryFolder } from "./rig.ts";

const { method } = ModalClient;
const rpcs = bind(ModalClient, {
  clientHello: anyone(async (_request, call) => ({
    warning: `${call.caller.kind} ${"id" in call.caller ? call.caller.id : ""}`,
  })),
  appCreate: user(async () => ({ appId: "ap-1" })),
});
const routes: FastifyPluginAsync[] = [
  async (app) => {
    app.get("/who", (request) => identityOf(request.raw.socket) ?? { kind: "outside" });
    app.get("/bug", async () => {
      throw new Error("inner secret");
    });
    app.post("/echo", (request) => request.body);
  },
];
const resolveDoor = async (secret: string) => {
  if (secret === "broken") throw new Error("the store is away");
  return secret === "s3cret" ? ({ kind: "container", id: "ta-1" } as const) : undefined;
};

test("gRPC and HTTP share the port", async () => {
  await using rig = await startRig({ rpcs, routes });
  using client = rpcClient(`127.0.0.1:${rig.port.number}`);
  assert.equal((await client.unary(method.clientHello, {}, {})).message.warning, "anyone ");
  const reply = await fetch(`${rig.url}/who`);
  assert.deepEqual(await reply.json(), { kind: "outside" });
  assert.equal(reply.headers.get("server"), null);
});

test("unknown paths, broken requests and bugs are answered without what is inside", async () => {
  await using rig = await startRig({ routes });
  const missing = await fetch(`${rig.url}/nowhere?sig=x`);
  assert.deepEqual([missing.status, await missing.text()], [404, "There is nothing at /nowhere.\n"]);
  const asJson = await fetch(`${rig.url}/nowhere`, { headers: { accept: "application/json" } });
  assert.deepEqual(await asJson.json(), { error: { code: "notFound", message: "There is nothing at /nowhere." } });
  const bug = await fetch(`${rig.url}/bug`);
  assert.equal(bug.status, 500);
  assert.match(await bug.text(), /^Something went wrong inside the server \(incident [0-9a-f]{12}\)\./);
  assert.equal((await fetch(`${rig.url}/%zz`)).status, 400);
  const large = await fetch(`${rig.url}/echo`, {
    method: "POST",
    body: JSON.stringify("x".repeat(2_000_000)),
    headers: { "content-type": "application/json" },
  });
  assert.equal(large.status, 413);
  for (const nonsense of [
    "NONSENSE\r\n\r\n",
    "GET / HTTP/1.1\r\nbad header\r\n\r\n",
    "\x00\x01\x02\r\n\r\n",
    "GET /\xff HTTP/9\r\n\r\n",
  ]) {
    assert.match(
      await readAll(await rawConnection(rig.port.number, Buffer.from(nonsense, "latin1"))),
      /^HTTP\/1.1 400 /,
      nonsense,
    );
  }
  const oversized = `GET / HTTP/1.1\r\nx: ${"y".repeat(140_000)}\r\n\r\n`;
  assert.match(await readAll(await rawConnection(rig.port.number, oversized)), /^HTTP\/1.1 431 /);
});

test("a preface that comes byte by byte is gRPC", async () => {
  await using rig = await startRig({ rpcs });
  // A relay that splits what the client sends first into single bytes.
  const slow = createServer((inside) => {
    const out = connect({ port: rig.port.number, host: "127.0.0.1", noDelay: true });
    const trickle = async (first: Buffer): Promise<void> => {
      inside.pause();
      for (const byte of first) {
        out.write(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      inside.pipe(out);
    };
    inside.once("data", (first: Buffer) => void trickle(first));
    out.pipe(inside);
    for (const socket of [inside, out]) socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(slow, "listening");
  {
    using client = rpcClient(`127.0.0.1:${(slow.address() as { port: number }).port}`);
    assert.equal((await client.unary(method.clientHello, {}, {})).message.warning, "anyone ");
  }
  slow.close();
});

test("a door gives its identity to gRPC and HTTP, and can be cut", async () => {
  await using rig = await startRig({ rpcs, routes, port: { resolveDoor } });
  await using door = await startDoor(rig.port.number, "s3cret");
  using client = rpcClient(`127.0.0.1:${door.port}`);
  assert.equal((await client.unary(method.clientHello, {}, {})).message.warning, "container ta-1");
  assert.equal((await client.unary(method.clientHello, {}, {})).message.warning, "container ta-1");
  assert.deepEqual(await (await fetch(`http://127.0.0.1:${door.port}/who`)).json(), { kind: "container", id: "ta-1" });
  assert.ok(rig.port.connections >= 2);
  rig.port.cutDoors("ta-2");
  assert.ok(rig.port.connections >= 2);
  rig.port.cutDoors("ta-1");
  while (rig.port.connections > 0) await new Promise((resolve) => setImmediate(resolve));
});

test("a door that is cut while its secret is looked up stays shut", async () => {
  const answer = Promise.withResolvers<{ kind: "container"; id: string }>();
  const asked = Promise.withResolvers<void>();
  await using rig = await startRig({ port: { resolveDoor: () => (asked.resolve(), answer.promise) } });
  const socket = await rawConnection(rig.port.number, "LYDIAN/1 s\nGET / HTTP/1.1\r\n\r\n");
  await asked.promise;
  rig.port.cutDoors("ta-1");
  answer.resolve({ kind: "container", id: "ta-1" });
  assert.equal(await readAll(socket), "");
});

test("doors that are wrong are closed without a word", async () => {
  await using rig = await startRig({ port: { resolveDoor, patienceMs: 200 } });
  const request = "GET /who HTTP/1.1\r\nhost: x\r\n\r\n";
  for (const first of [
    `LYDIAN/1 wrong\n${request}`,
    `LYDIAN/1 broken\n${request}`,
    `LYDIAN/1 \n${request}`,
    `LYDIAN/1 ${"x".repeat(300)}\n${request}`,
    `LYDIAN/1 s3cret\nLYDIAN/1 s3cret\n${request}`,
    "LYDIAN/1 s3cr", // never finished
    "LYDIAN/1 s3cret\n", // nothing follows
    "LYD",
    "",
  ]) {
    assert.equal(await readAll(await rawConnection(rig.port.number, first)), "", first);
  }
});

test("patience ends for senders that are slow or silent, not for calls that are", async () => {
  await using rig = await startRig({ rpcs, port: { patienceMs: 150 } });
  const started = Date.now();
  await Promise.all(
    ["P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r", "LYDIAN/1 x"].map(async (first) =>
      readAll(await rawConnection(rig.port.number, first)),
    ),
  );
  assert.ok(Date.now() - started < 3000);
  using client = rpcClient(`127.0.0.1:${rig.port.number}`);
  await client.unary(method.clientHello, {}, {});
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.equal(rig.port.connections, 1);
  await client.unary(method.clientHello, {}, {});
});

test("with too many undecided connections the oldest goes", async () => {
  await using rig = await startRig({ port: { mostUndecided: 2 } });
  const first = await rawConnection(rig.port.number, "P");
  await rawConnection(rig.port.number, "P");
  await rawConnection(rig.port.number, "P");
  assert.equal(await readAll(first), "");
  assert.equal(rig.port.connections, 2);
});

test("headers that never end are cut off", async () => {
  await using rig = await startRig({ web: { headersTimeoutMs: 200 } });
  assert.match(await readAll(await rawConnection(rig.port.number, "GET / HTTP/1.1\r\nx: y")), /^HTTP\/1.1 408 /);
});

test("a unix socket: tokens are asked for as elsewhere", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "s");
  await using rig = await startRig({ rpcs, at: { path } });
  assert.equal(rig.port.number, 0);
  using client = rpcClient(`unix:${path}`);
  assert.equal((await client.unary(method.appCreate, {})).message.appId, "ap-1");
  await assert.rejects(client.unary(method.appCreate, {}, {}), /needs a token/);
});

test("an inherited descriptor that is bound already", async () => {
  const bound = new BoundSocket({ host: "127.0.0.1", port: 0 });
  await using rig = await startRig({ rpcs, at: { fd: bound.fd() } });
  using client = rpcClient(`127.0.0.1:${rig.port.number}`);
  assert.equal((await client.unary(method.clientHello, {}, {})).message.warning, "anyone ");
});

test("the clients' keepalive pings are answered, however many", async () => {
  await using rig = await startRig({ rpcs });
  const session = connectHttp2(rig.url);
  let goneAway = false;
  session.on("goaway", () => {
    goneAway = true;
  });
  await once(session, "connect");
  for (let i = 0; i < 300; i++) {
    await new Promise<void>((resolve, reject) => session.ping((error) => (error === null ? resolve() : reject(error))));
  }
  assert.equal(goneAway, false);
  session.destroy();
});

test("an HTTP request that runs while the port closes is answered", async () => {
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const slow: FastifyPluginAsync = async (app) => {
    app.get("/slow", async () => (started.resolve(), await release.promise, "done"));
  };
  await using rig = await startRig({ routes: [slow] });
  const reply = fetch(`${rig.url}/slow`);
  await started.promise;
  const closing = rig.port.close(5000);
  release.resolve();
  assert.equal(await (await reply).text(), "done");
  await closing;
});

test("closing lets a running call end, refuses new ones, and may be asked for twice", async () => {
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const slow = bind(ModalClient, {
    clientHello: anyone(async () => (started.resolve(), await release.promise, { warning: "done" })),
  });
  await using rig = await startRig({ rpcs: slow });
  using client = rpcClient(`127.0.0.1:${rig.port.number}`);
  const call = client.unary(method.clientHello, {}, {});
  await started.promise;
  const idle = await rawConnection(rig.port.number, "P");
  const closing = rig.port.close(5000);
  assert.equal(rig.port.close(5000), closing);
  assert.equal(await readAll(idle), "");
  release.resolve();
  assert.equal((await call).message.warning, "done");
  await closing;
  assert.equal(rig.port.connections, 0);
});

test("closing cuts what does not end within the grace", async () => {
  const started = Promise.withResolvers<AbortSignal>();
  const stuck = bind(ModalClient, {
    clientHello: anyone(async (_request, call) => (started.resolve(call.signal), new Promise<never>(() => {}))),
  });
  await using rig = await startRig({ rpcs: stuck });
  using client = rpcClient(`127.0.0.1:${rig.port.number}`);
  const call = assert.rejects(client.unary(method.clientHello, {}, {}));
  const signal = await started.promise;
  await rig.port.close(100);
  await call;
  if (!signal.aborted) await once(signal, "abort");
});
