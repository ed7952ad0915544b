import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type http from "node:http";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";

import { ManualClock, SmallDisk, until } from "@lydian/testkit";

import { LoopbackRegistry, type TestImage } from "./loopback-registry.ts";
import { imagesIn, needsRoot, noInterpreters, scratchFolder, waiter } from "./scratch.ts";

const content = randomBytes(600_000).toString("hex");
const image: TestImage = {
  layers: [
    { packing: "gzip", entries: [{ name: "small", content: "1" }] },
    { packing: "none", entries: [{ name: "large", content }] },
  ],
};
const tag = "3.12-slim-bookworm";
const name = `python:${tag}`;
const bare = {
  interpreters: noInterpreters,
  release: () => Promise.resolve({ codename: "bookworm", python: undefined }),
};
const options = { ...needsRoot, timeout: 60_000 };
const noDisk = await SmallDisk.lack();

async function stage(t: TestContext, clock = new ManualClock()) {
  const registry = await LoopbackRegistry.start(t);
  const folder = await scratchFolder(t);
  const images = await imagesIn(folder, { registry: registry.settings, clock, ...bare });
  const [, large = ""] = await registry.push(tag, image);
  /** What a test answers in the registry's place when it is asked for the large layer. */
  const instead = (answer: (range: string | undefined, response: http.ServerResponse) => void): void => {
    registry.intercept = ({ url = "", headers }, response) => {
      if (!url.endsWith(large) || headers.authorization === undefined) return false;
      answer(headers.range, response);
      return true;
    };
  };
  return { registry, folder, images, clock, bytes: registry.bytes(large), instead };
}

/** Moves time on whenever all wait for it, until the work has ended. */
async function whileTimePasses<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let isOver = false;
  const ended = work.finally(() => (isOver = true));
  ended.catch(() => {});
  await until(
    50_000,
    async () => {
      await clock.advance(1000);
      return isOver;
    },
    () => "it does not end",
    1,
  );
  return await ended;
}

/** So much of the layer, and then the connection breaks. */
function breakAfter(response: http.ServerResponse, bytes: Buffer, from: number, to: number): void {
  const headers = { "content-length": bytes.length - from };
  response.writeHead(from === 0 ? 200 : 206, { ...headers, "content-range": `bytes ${from}-${bytes.length - 1}/*` });
  response.write(bytes.subarray(from, to), () => setImmediate(() => response.destroy()));
}

const startOf = (range: string | undefined): number => Number(/^bytes=(\d+)-$/.exec(range ?? "bytes=0-")?.[1]);

async function assertWhole(images: Awaited<ReturnType<typeof stage>>["images"]): Promise<void> {
  const { layers } = await images.resolve(name, waiter());
  assert.equal(await readFile(join(layers[0]?.diff ?? "", "large"), "utf8"), content);
}

it("goes on where the connection broke, so often as something new comes", options, async (t) => {
  const { images, clock, bytes, instead } = await stage(t);
  const starts: number[] = [];
  instead((range, response) => {
    const from = startOf(range);
    starts.push(from);
    breakAfter(response, bytes, from, from + 200_000);
  });
  await whileTimePasses(clock, images.resolve(name, waiter()));
  await assertWhole(images);
  assert.equal(starts[0], 0);
  assert.ok(starts.length >= 6, starts.join(" ")); // 1.2 MB
  assert.deepEqual(
    starts,
    starts.toSorted((a, b) => a - b),
  );
});

it("passes over what it has already where the registry begins from the start", options, async (t) => {
  const { images, clock, bytes, instead } = await stage(t);
  let asked = 0;
  instead((_range, response) => {
    if (asked++ === 0) return breakAfter(response, bytes, 0, 500_000);
    response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  });
  await whileTimePasses(clock, images.resolve(name, waiter()));
  await assertWhole(images);
  assert.equal(asked, 2);
});

it("refuses other bytes than the ones that were asked for", options, async (t) => {
  const { folder, images, clock, bytes, instead } = await stage(t);
  instead((range, response) => {
    const from = startOf(range);
    if (from === 0) return breakAfter(response, bytes, 0, 500_000);
    const headers = { "content-range": `bytes 0-${bytes.length - 1}/${bytes.length}`, "content-length": bytes.length };
    response.writeHead(206, headers).end(bytes);
  });
  await assert.rejects(whileTimePasses(clock, images.resolve(name, waiter())), /something else came than bytes from/);
  assert.deepEqual(await readdir(join(folder, "layers", ".drafts")), []);
});

it("gives up on a registry that stalls in the middle of a layer, or drips, within minutes", options, async (t) => {
  for (const drip of [false, true]) {
    const { folder, images, clock, bytes, instead } = await stage(t);
    instead((range, response) => {
      const from = startOf(range);
      response.writeHead(from === 0 ? 200 : 206, { "content-range": `bytes ${from}-${bytes.length - 1}/*` });
      response.flushHeaders();
      if (!drip || from > 0) return;
      let at = from;
      const tick = (): void => {
        if (response.destroyed) return;
        response.write(bytes.subarray(at, ++at));
        clock.timer(5000, tick);
      };
      tick();
    });
    const began = clock.now();
    const waiting = waiter();
    const pulling = whileTimePasses(clock, images.resolve(name, waiting));
    await assert.rejects(pulling, /there is no image with Python 3\.12/);
    assert.match(waiting.lines.join("\n"), /has sent next to nothing for 30 s/);
    assert.ok(clock.now() - began < 5 * 60_000, `after ${(clock.now() - began) / 1000} s`);
    assert.deepEqual(await readdir(join(folder, "layers", ".drafts")), []);
  }
});

it("waits out a registry that is busy for a moment, and no longer", options, async (t) => {
  const { images, clock, bytes, instead } = await stage(t);
  let busy = 2;
  instead((_range, response) => {
    if (busy-- > 0) return void response.writeHead(503).end();
    response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  });
  await whileTimePasses(clock, images.resolve(name, waiter()));
  const other = await stage(t);
  other.instead((_range, response) => void response.writeHead(429).end());
  const waiting = waiter();
  await assert.rejects(whileTimePasses(other.clock, other.images.resolve(name, waiting)), /there is no image/);
  assert.match(waiting.lines.join("\n"), /answers 429 \(too many requests from here\)/);
});

it("says how far it is, in bytes and per cent", options, async (t) => {
  const { images, clock, bytes, instead } = await stage(t);
  const sent = Promise.withResolvers<http.ServerResponse>();
  instead((_range, response) => {
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 600_000));
    sent.resolve(response);
  });
  const waiting = waiter();
  const pulling = images.resolve(name, waiting);
  const response = await sent.promise;
  await until(
    10_000,
    async () => {
      await clock.advance(100);
      return waiting.lines.some((line) => / 0\.6 of 1\.2 MB \((49|50) %\)$/.test(line));
    },
    () => waiting.lines.join("\n"),
  );
  response.end(bytes.subarray(600_000));
  await pulling;
});

it("is not led to where only this host can reach", options, async (t) => {
  const { folder, instead, clock, registry } = await stage(t);
  instead((_range, response) => void response.writeHead(307, { location: "ftp://127.0.0.1/x" }).end());
  const images = await imagesIn(folder, { registry: registry.settings, clock, ...bare });
  const waiting = waiter();
  await assert.rejects(whileTimePasses(clock, images.resolve(name, waiting)), /there is no image/);
  assert.match(waiting.lines.join("\n"), /sends us to an unsafe place/);
  await assert.rejects(images.resolve("169.254.169.254/latest/meta-data:1", waiter()), /is asked only where lydian up/);
});

it(
  "says that the disk is full, and leaves nothing on it",
  { ...options, skip: noDisk ?? options.skip ?? false },
  async (t) => {
    const { registry } = await stage(t);
    await using disk = await SmallDisk.make(8);
    const entries = [{ name: "huge", content: randomBytes(8_000_000).toString("hex") }];
    await registry.push(tag, { layers: [{ packing: "gzip", entries }] });
    const images = await imagesIn(disk.path, { registry: registry.settings, ...bare });
    const free = await disk.freeBytes();
    await assert.rejects(images.resolve(name, waiter()), {
      message: /^the image does not fit on the disk: /,
      hint: /make room on the disk/,
    });
    assert.deepEqual(await readdir(join(disk.path, "layers", ".drafts")), []);
    assert.ok(free - (await disk.freeBytes()) < 1_000_000);
  },
);
