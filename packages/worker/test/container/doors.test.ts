import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { it, type TestContext } from "node:test";

import { Door } from "../../src/container/doors.ts";
import { temporaryFolder } from "../support/temporary.ts";

async function listen(t: TestContext, onSocket: (socket: net.Socket) => void): Promise<{ host: string; port: number }> {
  const server = net.createServer({ allowHalfOpen: true }, onSocket);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { host: "127.0.0.1", port: (server.address() as net.AddressInfo).port };
}

async function open(t: TestContext, server: { host: string; port: number }): Promise<Door> {
  const file = join(await temporaryFolder(t), "door");
  await writeFile(file, ""); // left by a worker before
  const door = await Door.open(file, "the-secret", server);
  t.after(() => door.close());
  return door;
}

it("says the secret first, then moves bytes both ways, each end by itself", async (t) => {
  const large = "x".repeat(1_000_000);
  const heard = Promise.withResolvers<string>();
  const server = await listen(t, (socket) => {
    // Answers only after the other side's end, so half-open connections have to work.
    let all = "";
    socket.on("data", (chunk) => (all += String(chunk)));
    socket.on("end", () => {
      heard.resolve(all);
      socket.end(large);
    });
  });
  const door = await open(t, server);
  const client = net.connect({ path: door.file, allowHalfOpen: true });
  client.end(large);
  assert.equal((await text(client)).length, large.length);
  const [first, rest] = (await heard.promise).split("\n");
  assert.equal(first, "LYDIAN/1 the-secret");
  assert.equal(rest?.length, large.length);
});

it("still delivers what was written when the server closes its direction first", async (t) => {
  const heard = Promise.withResolvers<string>();
  const server = await listen(t, (socket) => {
    socket.end();
    text(socket).then(heard.resolve, heard.reject);
  });
  const door = await open(t, server);
  const client = net.connect({ path: door.file, allowHalfOpen: true });
  client.resume();
  await once(client, "end");
  client.end("y".repeat(1_000_000));
  assert.equal((await heard.promise).length, "LYDIAN/1 the-secret\n".length + 1_000_000);
});

it("closes the inside when the server refuses or resets, and goes on", async (t) => {
  let resets = 0;
  const server = await listen(t, (socket) => {
    resets++;
    socket.resetAndDestroy();
  });
  const door = await open(t, server);
  const unreachable = await open(t, { host: "127.0.0.1", port: 1 });
  for (const file of [door.file, unreachable.file, door.file]) {
    const client = net.connect(file);
    client.on("error", () => {}); // an end and a reset are both an answer
    client.resume();
    await once(client, "close");
  }
  assert.equal(resets, 2);
});

it("ends connections when it closes, twice without harm, and refuses a path that no socket can have", async (t) => {
  const server = await listen(t, (socket) => socket.on("error", () => {}).resume());
  const door = await open(t, server);
  const client = net.connect(door.file);
  client.on("error", () => {});
  await once(client, "connect");
  const closed = once(client, "close");
  client.resume();
  await door.close();
  await door.close();
  await closed;
  await assert.rejects(Door.open(`/tmp/${"x".repeat(110)}`, "s", server), /too long for a unix socket/);
});
