/** Connections that say anything at all: nothing may crash the process or stay behind. */
import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import type { Socket } from "node:net";
import { test } from "node:test";

import { ModalClient } from "@lydian/contract";

import { anyone, bind } from "../../src/rpc/adapter.ts";
import { rawConnection, rpcClient, startRig } from "./rig.ts";

const { method } = ModalClient;
const rpcs = bind(ModalClient, { clientHello: anyone(async () => ({ warning: "alive" })) });
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** An HTTP/2 frame. */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header in HPACK's literal form without indexing. */
function header(name: string, value: string): Buffer {
  const [n, v] = [Buffer.from(name, "latin1"), Buffer.from(value, "latin1")];
  return Buffer.concat([Buffer.of(0, n.length), n, Buffer.of(v.length), v]);
}

function request(path: string, contentType = "application/grpc", extra: Buffer = Buffer.alloc(0)): Buffer {
  const headers = [
    header(":method", "POST"),
    header(":scheme", "http"),
    header(":path", path),
    header("content-type", contentType),
    extra,
  ];
  return frame(1, 4, 1, Buffer.concat(headers));
}

const settings = frame(4, 0, 0, Buffer.alloc(0));
const hello = "/modal.client.ModalClient/ClientHello";
const grpcMessage = (bytes: Buffer, length = bytes.length): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, bytes]);
};

const kinds: (() => Buffer)[] = [
  () => randomBytes(randomInt(1, 2000)),
  () => preface.subarray(0, randomInt(1, preface.length)),
  () => Buffer.concat([preface, randomBytes(randomInt(1, 500))]),
  () =>
    Buffer.concat([
      preface,
      settings,
      frame(randomInt(0, 12), randomInt(0, 256), randomInt(0, 9), randomBytes(randomInt(0, 60))),
    ]),
  () => Buffer.concat([preface, settings, request("/x\xff\xfe é"), frame(0, 1, 1, grpcMessage(Buffer.alloc(0)))]),
  () => Buffer.concat([preface, settings, request("/x\r\ny: z")]),
  () => Buffer.concat([preface, settings, request("")]),
  () => Buffer.concat([preface, settings, request(hello, "text/html")]),
  () => Buffer.concat([preface, settings, request(hello), frame(0, 1, 1, Buffer.alloc(0))]),
  () => Buffer.concat([preface, settings, request(hello), frame(0, 1, 1, randomBytes(randomInt(1, 50)))]),
  () => Buffer.concat([preface, settings, request(hello), frame(0, 1, 1, grpcMessage(Buffer.alloc(3), 2 ** 32 - 1))]),
  () => Buffer.concat([preface, settings, request(hello), frame(0, 1, 1, grpcMessage(Buffer.alloc(0), 7))]),
  () =>
    Buffer.concat([
      preface,
      settings,
      request(hello),
      frame(0, 0, 1, grpcMessage(Buffer.alloc(0))),
      frame(0, 1, 1, grpcMessage(Buffer.alloc(0))),
    ]),
  () => Buffer.concat([preface, settings, request(hello, undefined, header("grpc-timeout", "99999999999x"))]),
  () =>
    Buffer.concat([
      preface,
      settings,
      request(hello, undefined, header("grpc-encoding", "gzip")),
      frame(0, 1, 1, Buffer.of(1, 0, 0, 0, 2, 31, 139)),
    ]),
  () =>
    Buffer.concat([
      preface,
      settings,
      request(hello, undefined, header("x-modal-token-id", "\xff")),
      frame(3, 0, 1, Buffer.alloc(4)),
    ]),
  () => Buffer.from(`LYDIAN/1 ${randomBytes(randomInt(1, 300)).toString("latin1")}\n`, "latin1"),
  () =>
    Buffer.from(
      `GET /${randomBytes(20).toString("latin1")} HTTP/1.1\r\n${randomBytes(50).toString("latin1")}\r\n\r\n`,
      "latin1",
    ),
  () => Buffer.from("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\nshort"),
  () => Buffer.from("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
  () => Buffer.from("GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"),
  () => Buffer.from("CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n"),
  () => Buffer.of(0x16, 3, 1, 0, 200, 1),
];

function end(socket: Socket): void {
  const how = randomInt(0, 3);
  if (how === 0) socket.destroy();
  else if (how === 1) socket.resetAndDestroy();
  else socket.end();
}

test("1,000 malformed connections leave a port that works and no memory behind", { timeout: 60_000 }, async () => {
  await using rig = await startRig({ rpcs, port: { patienceMs: 200 }, web: { headersTimeoutMs: 200 } });
  const attack = async (count: number): Promise<void> => {
    const sockets: Socket[] = [];
    for (let i = 0; i < count; i++) {
      const socket = await rawConnection(rig.port.number, kinds[i % kinds.length]?.());
      socket.resume();
      sockets.push(socket);
      setTimeout(() => end(socket), randomInt(0, 100));
      if (i % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await Promise.all(
      sockets.map(async (socket) => socket.destroyed || new Promise((resolve) => socket.once("close", resolve))),
    );
  };
  await attack(200);
  const before = process.memoryUsage();
  await attack(1000);
  const after = process.memoryUsage();
  const grownMib = (after.rss - before.rss) / 2 ** 20;
  assert.ok(grownMib < 64, `${grownMib} MiB more than before`);
  while (rig.port.connections > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  using client = rpcClient(`127.0.0.1:${rig.port.number}`);
  assert.equal((await client.unary(method.clientHello, {}, {})).message.warning, "alive");
});
