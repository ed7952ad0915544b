/** The port with certificate files. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { get } from "node:https";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";

import * as grpc from "@grpc/grpc-js";
import { ModalClient } from "@lydian/contract";
import type { FastifyPluginAsync } from "fastify";

import { identityOf } from "../../src/ingress/identity.ts";
import { anyone, bind } from "../../src/rpc/adapter.ts";
import { connectFrom, rawConnection, readAll, rpcClient, startDoor, startRig, temporaryFolder } from "./rig.ts";

const { method } = ModalClient;
const rpcs = bind(ModalClient, { clientHello: anyone(async (_request, call) => ({ warning: call.caller.kind })) });
const routes: FastifyPluginAsync[] = [
  async (app) => {
    app.get("/who", (request) => identityOf(request.raw.socket) ?? { kind: "outside" });
  },
];
const resolveDoor = (secret: string) =>
  secret === "s3cret" ? ({ kind: "container", id: "ta-1" } as const) : undefined;

/** Skips the test where no openssl is installed. */
function certificate(folder: string, context: TestContext): { certificate: Buffer; key: Buffer } | undefined {
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  try {
    execFileSync("openssl", [...request, "-keyout", key, "-out", cert, ...subject], { stdio: "pipe" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    context.skip("openssl is not installed");
    return undefined;
  }
  return { certificate: readFileSync(cert), key: readFileSync(key) };
}

function addressOfThisMachine(): string | undefined {
  return Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.family === "IPv4" && !address.internal)?.address;
}

test("gRPC, HTTP and doors under TLS; plain only from this machine", async (context) => {
  await using folder = await temporaryFolder();
  const tls = certificate(folder.path, context);
  if (tls === undefined) return;
  await using rig = await startRig({
    rpcs,
    routes,
    port: { tls, resolveDoor, patienceMs: 500 },
    at: { host: "0.0.0.0", port: 0 },
  });
  const { number } = rig.port;

  await context.test("gRPC", async () => {
    using client = rpcClient(`localhost:${number}`, grpc.credentials.createSsl(tls.certificate));
    assert.equal((await client.unary(method.clientHello, {}, {})).message.warning, "anyone");
    assert.equal((await client.unary(method.clientHello, {}, {})).message.warning, "anyone");
  });

  await context.test("HTTP", async () => {
    const [reply] = await once(
      get({ port: number, host: "127.0.0.1", path: "/who", ca: tls.certificate, agent: false }),
      "response",
    );
    assert.equal(reply.statusCode, 200);
    reply.resume();
  });

  await context.test("gRPC without ALPN", async () => {
    const socket = connectTls({ port: number, host: "127.0.0.1", ca: tls.certificate });
    await once(socket, "secureConnect");
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    const [settings] = (await once(socket, "data")) as [Buffer];
    assert.equal(settings[3], 4, "a SETTINGS frame");
    socket.destroy();
  });

  await context.test("doors, in plain from this machine and under TLS", async () => {
    await using door = await startDoor(number, "s3cret");
    using client = rpcClient(`127.0.0.1:${door.port}`);
    assert.equal((await client.unary(method.clientHello, {}, {})).message.warning, "container");
    const inside = connectTls({ port: number, host: "127.0.0.1", ca: tls.certificate });
    await once(inside, "secureConnect");
    inside.write("LYDIAN/1 s3cret\nGET /who HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert.match(await readAll(inside), /"id":"ta-1"/);
  });

  await context.test("plain from this machine", async () => {
    assert.equal((await fetch(`http://127.0.0.1:${number}/who`)).status, 200);
  });

  await context.test("plain from elsewhere is refused", async (inner) => {
    const host = addressOfThisMachine();
    if (host === undefined) return inner.skip("this machine has only a loopback interface");
    const say = async (text: string): Promise<string> => readAll(await connectFrom(host, number, text));
    assert.match(await say("GET /who HTTP/1.1\r\nhost: x\r\n\r\n"), /^HTTP\/1.1 400 [^]*use https/);
    assert.equal(await say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "");
    assert.equal(await say("LYDIAN/1 s3cret\nGET /who HTTP/1.1\r\nhost: x\r\n\r\n"), "");
    const secure = connectTls({ port: number, host, rejectUnauthorized: false });
    await once(secure, "secureConnect");
    secure.write("GET /who HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert.match(await readAll(secure), /"outside"/);
  });

  await context.test("handshakes that are broken, or never end", async () => {
    for (const first of [
      Buffer.of(0x16),
      Buffer.from("\x16\x03\x01\x00\x05hello", "latin1"),
      Buffer.from([0x16, 3, 1, 0xff, 0xff]),
    ]) {
      await readAll(await rawConnection(number, first));
    }
    const silent = connectTls({ port: number, host: "127.0.0.1", ca: tls.certificate });
    await once(silent, "secureConnect");
    assert.equal(await readAll(silent), "");
  });
});

test("a web function's host is offered HTTP/1.1 alone, as HTTP/2 is gRPC's", async (context) => {
  await using folder = await temporaryFolder();
  const tls = certificate(folder.path, context);
  if (tls === undefined) return;
  await using rig = await startRig({ rpcs, port: { tls, isWebHost: (name) => name === "web.localhost" } });
  const agreed = async (servername: string, ALPNProtocols: string[]): Promise<string | false | null> => {
    const socket = connectTls({
      port: rig.port.number,
      host: "127.0.0.1",
      ca: tls.certificate,
      servername,
      ALPNProtocols,
      checkServerIdentity: () => undefined,
    });
    await once(socket, "secureConnect");
    const { alpnProtocol } = socket;
    socket.destroy();
    return alpnProtocol;
  };
  assert.equal(await agreed("web.localhost", ["h2", "http/1.1"]), "http/1.1");
  assert.equal(await agreed("localhost", ["h2", "http/1.1"]), "h2");
  assert.equal(await agreed("localhost", ["http/1.1"]), "http/1.1");
});
