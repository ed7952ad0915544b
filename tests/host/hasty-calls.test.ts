/** Calls that their client takes back in the same breath: the server may answer or not, but it lives. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { ModalClient } from "@lydian/contract";
import { platformOfFile, within } from "@lydian/testkit";

import * as frames from "./http2-frames.ts";

const platform = await platformOfFile({ runtime: "process" }); // no function runs here
const url = new URL(platform.url);
const emptyMessage = Buffer.alloc(5);

async function ownersToken(): Promise<Record<string, string>> {
  const profile = await readFile(join(platform.data, "profile.toml"), "utf8");
  const value = (key: string): string => new RegExp(`${key} = "(.*)"`).exec(profile)?.[1] ?? "";
  return { "x-modal-token-id": value("token_id"), "x-modal-token-secret": value("token_secret") };
}

/** Everything in one write, so that the server reads a call and what takes it back at once. */
async function say(...parts: Buffer[]): Promise<void> {
  const socket = net.connect({ host: url.hostname, port: Number(url.port) });
  socket.on("error", () => {}); // a reset is an answer, too
  const closed = once(socket, "close");
  socket.resume().end(Buffer.concat([frames.preface, frames.settings(), ...parts]));
  await within(15_000, closed, () => platform.describe("the connection was not closed"));
}

const call = (path: string, more: Record<string, string> = {}): Record<string, string> => ({
  ":method": "POST",
  ":scheme": "http",
  ":path": path,
  ":authority": url.host,
  "content-type": "application/grpc",
  te: "trailers",
  ...more,
});

/** Each on a connection of its own: the call as it is, taken back before its body, after it, and with the connection. */
async function takeBack(fields: Record<string, string>): Promise<void> {
  const head = frames.headers(1, fields);
  const body = frames.data(1, emptyMessage);
  await say(head, body);
  await say(head, frames.reset(1));
  await say(head, body, frames.reset(1));
  await say(head, body, frames.goAway());
  await say(frames.headers(1, fields, true), frames.reset(1));
}

async function isUnharmed(act: () => Promise<void>): Promise<void> {
  const before = platform.process("server");
  assert.ok(before);
  await act();
  await say(frames.headers(1, call("/")), frames.data(1, emptyMessage)); // the last word is answered after all before it
  assert.equal(platform.process("server")?.pid, before.pid, platform.describe("the server has ended"));
}

test("of methods that do not exist", () => isUnharmed(() => takeBack(call("/modal.client.ModalClient/NoSuchMethod"))));

test("of another content type", () => isUnharmed(() => takeBack({ ...call("/a/b"), "content-type": "text/plain" })));

test("of another HTTP method", () => isUnharmed(() => takeBack({ ...call("/a/b"), ":method": "GET" })));

test("of every method, without a token", () =>
  isUnharmed(async () => {
    for (const { name } of ModalClient.methods) await takeBack(call(`/${ModalClient.typeName}/${name}`));
  }));

test("of every method, with the owner's token", () =>
  isUnharmed(async () => {
    const token = await ownersToken();
    for (const { name } of ModalClient.methods) await takeBack(call(`/${ModalClient.typeName}/${name}`, token));
  }));

test("a hundred of them on one connection", () =>
  isUnharmed(async () => {
    const token = await ownersToken();
    const paths = ["/a/b", `/${ModalClient.typeName}/AppList`, `/${ModalClient.typeName}/ClientHello`];
    const streams = Array.from({ length: 100 }, (_, index) => 2 * index + 1);
    await say(
      ...streams.flatMap((stream) => [
        frames.headers(stream, call(paths[stream % paths.length] ?? "/", token)),
        frames.data(stream, emptyMessage),
        frames.reset(stream),
      ]),
    );
  }));
