/** Requests that no web function gets, and what their callers are told. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { answersOk, webScene } from "../support/web-scene.ts";
import { rawConnection, readAll } from "./rig.ts";

const get = (host: string, lines = "", path = "/"): string => `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines}\r\n`;
const closing = "connection: close\r\n";
const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);

test("a request that can be read in two ways reaches no application", async () => {
  await using it = await webScene(answersOk);
  const post = (lines: string, rest: string): string =>
    `POST / HTTP/1.1\r\nhost: ${it.host}\r\n${lines}\r\n\r\n${rest}`;
  const smuggled = get(it.host, closing, "/smuggled");
  const twoWays = {
    "length and chunks": post("content-length: 4\r\ntransfer-encoding: chunked", `0\r\n\r\n${smuggled}`),
    "two lengths": post("content-length: 4\r\ncontent-length: 5", "12345"),
    "a length with a sign": post("content-length: +4", "1234"),
    "chunks that are not last": post("transfer-encoding: chunked, identity", `0\r\n\r\n${smuggled}`),
    "a hidden coding": post("transfer-encoding: \x0bchunked", `0\r\n\r\n${smuggled}`),
    "a space before the colon": post("content-length : 4", "1234"),
    "a line that goes on in the next": get(it.host, "x: 1\r\n y: 2\r\n"),
    "a chunk's size with more": post("transfer-encoding: chunked", `0x\r\n\r\n${smuggled}`),
    "two hosts": get(it.host, `host: other.localhost\r\n${closing}`),
    "two hosts, the platform's first": get("127.0.0.1", `host: ${it.host}\r\n${closing}`),
    "an address that is not the host's": `GET http://127.0.0.1/ HTTP/1.1\r\nhost: ${it.host}\r\n${closing}\r\n`,
    "no host": `GET / HTTP/1.1\r\n${closing}\r\n`,
  };
  for (const [what, text] of Object.entries(twoWays)) {
    const answer = await it.raw(text);
    assert.equal(statusOf(answer), 400, `${what}: ${answer}`);
    assert.doesNotMatch(answer, /200 OK/, what);
  }
  assert.deepEqual(it.asked, []);
  assert.equal(statusOf(await it.raw(`GET http://${it.host}/ HTTP/1.1\r\nhost: ${it.host}\r\n${closing}\r\n`)), 200);
});

test("a request in a version, or a coding, that is not spoken here reaches no application", async () => {
  await using it = await webScene(answersOk);
  const post = (coding: string): string =>
    `POST / HTTP/1.1\r\nhost: ${it.host}\r\ntransfer-encoding: ${coding}\r\n${closing}\r\n0\r\n\r\n`;
  assert.equal(statusOf(await it.raw(post("gzip, chunked"))), 501);
  assert.equal(statusOf(await it.raw(get(it.host, closing).replace("HTTP/1.1", "HTTP/2.0"))), 505);
  assert.deepEqual(it.asked, []);
  assert.equal(statusOf(await it.raw(post("Chunked"))), 200);
});

test("a request for a connection to elsewhere is refused with a word", async () => {
  await using it = await webScene(answersOk);
  for (const host of [it.host, "example.com:443"]) {
    assert.match(
      await it.raw(`CONNECT ${host} HTTP/1.1\r\nhost: ${host}\r\n\r\n`),
      /^HTTP\/1\.1 405 [^]*no proxy/,
      host,
    );
  }
  assert.match(
    await it.raw(`GET http://example.com/ HTTP/1.1\r\nhost: example.com\r\n${closing}\r\n`),
    /^HTTP\/1\.1 404 /,
  );
  assert.deepEqual(it.asked, []);
});

test("a request that waits for a word before it sends its body gets that, or hears first why it is not wanted", async () => {
  await using it = await webScene(answersOk, { settings: { limits: { webBodyBytes: 1_000 } } });
  const waiting = (host: string, bytes: number): string =>
    `POST / HTTP/1.1\r\nhost: ${host}\r\nexpect: 100-continue\r\ncontent-length: ${bytes}\r\n${closing}\r\n`;
  assert.equal(statusOf(await it.raw(waiting("nobody.localhost", 4))), 404);
  assert.equal(statusOf(await it.raw(waiting(it.host, 1_001))), 413);
  assert.equal(statusOf(await it.raw(waiting("127.0.0.1", 2_000_000))), 100, "the platform's own routes ask for it");
  const socket = await rawConnection(it.rig.port.number, waiting(it.host, 4));
  const [first] = (await once(socket, "data")) as [Buffer];
  assert.equal(first.toString(), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.write("body");
  assert.equal(statusOf(await readAll(socket)), 200);
});

test("a request that a full server takes no more is told to come again", async () => {
  await using it = await webScene(answersOk, { isFull: true });
  assert.match(await it.raw(get(it.host, closing)), /^HTTP\/1\.1 429 [^]*retry-after: 1\r\n/i);
  assert.deepEqual(it.asked, []);
});
