import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import net, { type AddressInfo } from "node:net";
import { join } from "node:path";
import { it, type TestContext } from "node:test";

import { LoopbackRegistry, type TestImage } from "./loopback-registry.ts";
import { imagesIn, needsRoot, noInterpreters, pythonStack, scratchFolder, waiter } from "./scratch.ts";

const image: TestImage = {
  layers: [
    { packing: "gzip", entries: [{ name: "lower", content: "1" }] },
    { packing: "zstd", entries: [{ name: "middle", content: randomBytes(50_000).toString("hex") }] },
    { packing: "none", entries: [{ name: "upper", content: "3" }] },
  ],
};

const tag = "3.12-slim-bookworm";

/** A release that brings no Python, so that nothing is bootstrapped where the registry has nothing. */
const bare = {
  interpreters: noInterpreters,
  release: () => Promise.resolve({ codename: "bookworm", python: undefined }),
};

async function stage(t: TestContext) {
  const registry = await LoopbackRegistry.start(t);
  const folder = await scratchFolder(t);
  const images = await imagesIn(folder, { registry: registry.settings, ...bare });
  return { registry, folder, images };
}

it("is pulled for this architecture, topmost layer first, and asked for never again", needsRoot, async (t) => {
  const { registry, folder, images } = await stage(t);
  await registry.push(tag, image);
  const stack = await pythonStack(images, "3.12", waiter());
  assert.deepEqual(await Promise.all(stack.map(({ diff }) => readdir(diff))), [["upper"], ["middle"], ["lower"]]);
  const asked = registry.requests.length;
  assert.deepEqual(await pythonStack(images, "3.12", waiter()), stack);
  const next = await imagesIn(folder, { registry: registry.settings, ...bare });
  assert.deepEqual(await pythonStack(next, "3.12", waiter()), stack);
  assert.equal(registry.requests.length, asked);
  assert.deepEqual(await readdir(join(folder, "layers", ".drafts")), []);
});

it("is pulled once, whoever wants it at once, and shares layers with others", needsRoot, async (t) => {
  const { registry, folder, images } = await stage(t);
  const layers = await registry.push(tag, image);
  await registry.push("3.13-slim-bookworm", { layers: image.layers.slice(0, 2) });
  const other = await imagesIn(folder, { registry: registry.settings, ...bare });
  const stacks = await Promise.all([
    ...Array.from({ length: 8 }, () => pythonStack(images, "3.12", waiter())),
    pythonStack(other, "3.12", waiter()),
    pythonStack(images, "3.13", waiter()),
  ]);
  for (const stack of stacks.slice(0, 9)) assert.deepEqual(stack, stacks[0]);
  assert.deepEqual(stacks[9], stacks[0]?.slice(1));
  for (const digest of layers) {
    const asked = registry.requests.filter((path) => path.endsWith(digest)).length;
    assert.ok(asked <= 2, `asked ${asked} times for a layer`); // a second time with the token
  }
});

it(
  "is refused where a byte is wrong, whether of a layer or of the manifest, and nothing is left",
  needsRoot,
  async (t) => {
    const { registry, folder, images } = await stage(t);
    const [, middle = ""] = await registry.push(tag, image);
    const flip = (bytes: Buffer): Buffer => {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1);
      return changed;
    };
    const changes: [string, (bytes: Buffer) => Buffer][] = [
      ["something else came than blob", flip],
      ["instead of", (bytes) => bytes.subarray(0, -10)],
      ["more than", (bytes) => Buffer.concat([bytes, Buffer.from("x")])],
    ];
    for (const [why, change] of changes) {
      registry.tamper(middle, change);
      await assert.rejects(pythonStack(images, "3.12", waiter()), (error: Error) => error.message.includes(why), why);
      assert.deepEqual(await readdir(join(folder, "layers", ".drafts")), []);
      assert.ok((await readdir(join(folder, "layers"))).every((name) => !name.includes(middle.slice(7))));
      await registry.push(tag, image);
    }
    await pythonStack(images, "3.12", waiter());
  },
);

it("says what the registry says when there is no such image, and what remains to be done", needsRoot, async (t) => {
  const { images } = await stage(t);
  const waiting = waiter();
  await assert.rejects(pythonStack(images, "3.12", waiting), {
    message: "there is no image with Python 3.12: there is no Python 3.12 on this host; it has no Python 3",
    hint: /^install Python 3\.12 so that .*, or let the worker reach an OCI registry$/,
  });
  assert.match(
    waiting.lines[0] ?? "",
    /could not be pulled: .*\/manifests\/3\.12-slim-bookworm answers 404: manifest unknown$/,
  );
});

it("waits three seconds for a registry that is silent, and not again soon", needsRoot, async (t) => {
  const silent = net.createServer();
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const sockets = new Set<net.Socket>();
  silent.on("connection", (socket) => sockets.add(socket.on("error", () => {})));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const images = await imagesIn(await scratchFolder(t), { registry: { mirrors: { "docker.io": [url] } }, ...bare });
  const began = performance.now();
  await assert.rejects(pythonStack(images, "3.12", waiter()), /there is no image/);
  const first = performance.now() - began;
  assert.ok(first > 2900 && first < 4500, `${first} ms`);
  await assert.rejects(pythonStack(images, "3.12", waiter()), /there is no image/);
  assert.ok(performance.now() - began - first < 1000);
});

it("is given up when who wants it leaves, with nothing half made", needsRoot, async (t) => {
  const { registry, folder, images } = await stage(t);
  await registry.push(tag, image);
  const waiting = waiter();
  const begun = Promise.withResolvers<void>();
  registry.intercept = ({ url, headers }, response) => {
    if (url?.includes("/blobs/") !== true || headers.authorization === undefined) return false;
    response.writeHead(200);
    response.write("the first bytes, and no more");
    begun.resolve();
    return true;
  };
  const pulling = pythonStack(images, "3.12", waiting);
  await begun.promise;
  waiting.leave();
  await assert.rejects(pulling, /^Error: left$/);
  await images.close();
  assert.deepEqual(await readdir(join(folder, "layers", ".drafts")), []);
  registry.intercept = () => false;
  const stack = await pythonStack(images, "3.12", waiter());
  assert.equal(await readFile(join(stack[0]?.diff ?? "", "upper"), "utf8"), "3");
});

it("is fetched where a redirect leads, without the token", needsRoot, async (t) => {
  const { registry, images } = await stage(t);
  const store = await LoopbackRegistry.start(t);
  await registry.push(tag, image);
  const tokens: unknown[] = [];
  registry.intercept = ({ url = "", headers }, response) => {
    if (!url.includes("/blobs/") || headers.authorization === undefined) return false;
    response.writeHead(307, { location: store.url + url }).end();
    return true;
  };
  store.intercept = ({ url = "", headers }, response) => {
    tokens.push(headers.authorization);
    response.end(registry.bytes(url.slice(url.lastIndexOf("/") + 1)));
    return true;
  };
  assert.equal((await pythonStack(images, "3.12", waiter())).length, 3);
  assert.deepEqual(tokens, [undefined, undefined, undefined, undefined]); // the configuration and three layers
});
