import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";

import { type Clock, systemClock } from "@lydian/kit";
import { ManualClock } from "@lydian/testkit";

import { Door } from "../src/container/doors.ts";
import { ContentCache } from "../src/content.ts";
import { FakeServer, workerSecret } from "./support/fake-server.ts";
import { temporaryFolder } from "./support/temporary.ts";

const { signal } = new AbortController();

async function scene(t: TestContext, clock: Clock = systemClock) {
  const data = await temporaryFolder(t);
  const server = await FakeServer.start();
  const doorFile = join(data, "door");
  const door = await Door.open(doorFile, workerSecret, server.address);
  const open = async (): Promise<ContentCache> => {
    const content = new ContentCache({ data, doorFile, clock });
    t.after(() => content.close());
    await content.start();
    return content;
  };
  t.after(async () => {
    await door.close();
    await server.close();
  });
  return { data, server, open };
}

it("fetches once what many want at once, verifies it, and keeps nothing that is wrong", async (t) => {
  const { data, server, open } = await scene(t);
  const content = await open();
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

it("gives up what nobody has used for long, never what was just asked for, and fetches it again", async (t) => {
  const hour = 3_600_000;
  const clock = new ManualClock();
  await clock.advance(Date.now() - clock.now()); // files have the host's time
  const { server, open } = await scene(t, clock);
  const content = await open();
  const [used, idle] = ["used", "idle"].map((text) => server.addContent(Buffer.from(text.repeat(5_000))));
  for (const sha256 of [used!, idle!]) await content.file(sha256, signal);
  await clock.advance(2 * hour);
  await content.file(used!, signal);
  const all = clock.now() + hour;
  assert.deepEqual(await content.collect(clock.now() - 3 * hour), { files: 0, bytes: 0 });
  const dry = await content.collect(all, true);
  assert.equal(dry.files, 1);
  assert.ok(dry.bytes >= 20_000);
  assert.deepEqual(await content.collect(all), dry);
  assert.equal(server.requests, 2);
  await content.file(used!, signal);
  assert.equal(server.requests, 2);

  const next = await open(); // which was told of no use, and reads it from the files
  assert.deepEqual(await next.collect(all), { files: 0, bytes: 0 });
  await clock.advance(2 * hour);
  const [collected, file] = await Promise.all([next.collect(all + 2 * hour), next.file(used!, signal)]);
  assert.equal(await readFile(file, "utf8"), "used".repeat(5_000));
  const asked = 2 + collected.files; // it was collected before it was asked for, or not at all
  const requests = (): number => server.requests;
  assert.equal(requests(), asked);
  await next.file(idle!, signal);
  assert.equal(requests(), asked + 1);
});
