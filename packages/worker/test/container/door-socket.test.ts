import assert from "node:assert/strict";
import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { link, rename, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { it, type TestContext } from "node:test";

import { doorDescriptor, DoorSocket, keeperPidFile } from "../../src/container/door-socket.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** A process that has the socket open, as a container's keeper has, and is the keeper of the container in this folder. */
async function keep(t: TestContext, folder: string, socket?: DoorSocket): Promise<ChildProcess> {
  const stdio: StdioOptions = ["ignore", "ignore", "ignore", "ignore", "ignore"];
  if (socket !== undefined) stdio[doorDescriptor] = socket.fd;
  const keeper = spawn("sleep", ["60"], { stdio });
  t.after(() => keeper.kill("SIGKILL"));
  await once(keeper, "spawn");
  await writeFile(keeperPidFile(folder), String(keeper.pid));
  return keeper;
}

async function end(keeper: ChildProcess): Promise<void> {
  const ended = once(keeper, "exit");
  keeper.kill("SIGKILL");
  await ended;
}

/** A socket that only its keeper has open, as after a kill of the worker; to close it properly would remove its name. */
async function bound(t: TestContext): Promise<{ folder: string; file: string; keeper: ChildProcess }> {
  const folder = await temporaryFolder(t);
  const file = join(folder, "s");
  const socket = await DoorSocket.bind(file);
  const keeper = await keep(t, folder, socket);
  await link(file, join(folder, "kept"));
  await socket.close();
  await rename(join(folder, "kept"), file);
  return { folder, file, keeper };
}

it("is taken from the keeper, with the connections that came while nobody answered", async (t) => {
  const { folder, file } = await bound(t);
  const client = net.connect(file);
  await once(client, "connect");
  client.end("said before");
  const socket = await DoorSocket.take(file, folder);
  assert.ok(socket);
  t.after(() => socket.close());
  const heard = new Promise<string>((resolve) => socket.onConnection((inside) => resolve(text(inside))));
  assert.equal(await heard, "said before");
});

it("is none when the keeper is gone, has none, is not known, or has another one", async (t) => {
  const { folder, file, keeper } = await bound(t);
  await end(keeper);
  assert.equal(await DoorSocket.take(file, folder), undefined, "gone");
  await keep(t, folder);
  assert.equal(await DoorSocket.take(file, folder), undefined, "has none");
  assert.equal(await DoorSocket.take(file, join(folder, "none")), undefined, "not known");
  const other = await DoorSocket.bind(join(folder, "other"));
  t.after(() => other.close());
  await keep(t, folder, other);
  assert.equal(await DoorSocket.take(file, folder), undefined, "has another one");
});
