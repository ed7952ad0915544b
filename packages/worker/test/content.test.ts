import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";

import { systemClock } from "@lydian/kit";

import { Door } from "../src/container/doors.ts";
import { ContentCache } from "../src/content.ts";
import { FakeServer, workerSecret } from "./support/fake-server.ts";
import { temporaryFolder } from "./support/temporary.ts";

it("fetches once what many want at once, verifies it, and keeps nothing that is wrong", async (t) => {
  const data = await temporaryFolder(t);
  const server = await FakeServer.start();
  const doorFile = join(data, "door");
  const door = await Door.open(doorFile, workerSecret, server.address);
  const content = new ContentCache({ data, doorFile, clock: systemClock });
  t.after(async () => {
    content.close();
    await door.close();
    await server.close();
  });
  await content.start();
  const { signal } = new AbortController();
  const sha256 = server.addContent(Buffer.from("some content"));
  const files = await Promise.all(Array.from({ length: 5 }, () => content.file(sha256, signal)));
  assert.equal(new Set(files).size, 1);
  assert.equal(await readFile(files[0]!, "utf8"), "some content");
  await content.file(sha256, signal);
  assert.equal(server.requests, 1);

  await assert.rejects(content.file("f".repeat(64), signal), /answered 404/);
  await assert.rejects(content.file("../../etc/passwd", signal), /is no SHA-256/);
  // The wrong bytes are asked for again; the right ones come in the end.
  const right = server.addContent(Buffer.from("right"));
  server.content.set(right, Buffer.from("wrong"));
  const fetched = content.file(right, signal);
  await new Promise((resolve) => server.sockets.values().next().value?.once("data", resolve));
  server.content.set(right, Buffer.from("right"));
  assert.equal(await readFile(await fetched, "utf8"), "right");
  assert.deepEqual(await readdir(join(data, "content", "incoming")), []);
});
