/** The rows of the name table in docs/typescript.md, one after the other: each is defined or called as it stands there. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";

import {
  App,
  CloudBucketMount,
  Cls,
  Cron,
  currentFunctionCallId,
  currentInputId,
  currentSignal,
  Dict,
  enter,
  enterSnapshot,
  exit,
  forward,
  Func,
  Function as AlsoFunc,
  FunctionCall,
  Image,
  isLocal,
  kwargs,
  type Kwargs,
  params,
  Period,
  Proxy,
  Queue,
  Sandbox,
  Secret,
  Volume,
} from "lydian";

const files = Volume.fromName("table-files", { createIfMissing: true, version: 2 });
const secrets = [Secret.fromObject({ FROM_OBJECT: "object" })];
const image = Image.debianSlim().env({ FROM_IMAGE: "image" }).workdir("/srv").runCommands("echo made > /made.txt");

export const app = new App("name-table", {
  image,
  secrets,
  volumes: {},
  tags: { of: "table" },
  env: { FROM_APP: "app" },
});

export const options = app.function(
  {
    ...{ name: "options", env: { OWN: "own" }, volumes: { "/files": files } },
    ...{ cpu: [0.1, 4], memory: "128MiB", timeout: "1m", startupTimeout: 120, scaledownWindow: "30s" },
    ...{ minContainers: 0, maxContainers: 2, bufferContainers: 0, blockNetwork: false, retries: 1 },
  },
  async () => {
    await writeFile("/files/a.txt", "written");
    await files.commit();
    const { FROM_OBJECT, FROM_IMAGE, FROM_APP, OWN } = process.env;
    return [FROM_OBJECT, FROM_IMAGE, FROM_APP, OWN, process.cwd(), (await readFile("/made.txt", "utf8")).trim()];
  },
);

export const read = app.function({ volumes: { "/files": files.readOnly() }, singleUseContainers: true }, async () => {
  await files.reload();
  return await readFile("/files/a.txt", "utf8");
});

const tries = Dict.fromName<string, number>("table-tries", { createIfMissing: true });
export const retried = app.function(
  { retries: { maxRetries: 2, backoffCoefficient: 1, initialDelay: "1s", maxDelay: "2s" } },
  async (key: string) => {
    const number = ((await tries.get(key)) ?? 0) + 1;
    await tries.put(key, number);
    if (number < 2) throw new Error("once more");
    return number;
  },
);

export const daily = app.function({ schedule: new Cron("0 9 * * *", { timezone: "Europe/Berlin" }) }, () => {});
export const often = app.function({ schedule: new Period({ hours: 4 }) }, () => {});

export const together = app.function({ concurrent: { maxInputs: 10, targetInputs: 5 } }, (n: number) => n + 1);
export const batched = app.function({ batched: { maxBatchSize: 4, waitMs: 50 } }, (list: number[]) =>
  list.map((n) => n * 2),
);
export const generated = app.function({ isGenerator: true }, (to: number) =>
  Array.from({ length: to }, (_, n) => n).values(),
);
export const pairs = app.function((left: string, right: string) => left + right);
export const scaled = app.function((n: number, { scale = 1 }: { scale?: number } = {}) => n * scale);
export const waits = app.function(async () => {
  await new Promise((resolve) => currentSignal().addEventListener("abort", resolve, { once: true }));
});
export const where = app.function(() => [isLocal(), currentInputId(), currentFunctionCallId()]);

export const Counter = app.cls(
  { scaledownWindow: "30s" },
  class extends params({ size: "base", lang: String }) {
    steps: string[] = [];
    [enterSnapshot]() {
      this.steps.push("enterSnapshot");
    }
    [enter]() {
      this.steps.push("enter");
    }
    told() {
      return [this.size, this.lang, ...this.steps];
    }
    [exit]() {
      console.log("the exit hook of a class");
    }
  },
);

export const web = app.webEndpoint({ label: "table-web", requiresProxyAuth: false }, () => new Response("answered"));
export const server = app.webServer({ port: 8000 }, () => {
  createServer((_, response) => response.end("served")).listen(8000);
});
export const forwarded = app.function(async () => {
  const own = createServer((_, response) => response.end()).listen(9000);
  await using tunnel = await forward(9000, { unencrypted: true });
  own.close();
  return [tunnel.url, typeof tunnel.tcpSocket?.port];
});

// What a platform without such things only says so of, and what needs a bucket, a registry or another file.
const elsewhere = new App("elsewhere", { includeFiles: ["*.txt"], npmSecret: Secret.fromName("npm") });
export const place = { gpu: ["H100", "A100:2"], region: "eu", cloud: "own", routingRegion: "eu", nonpreemptible: true };
elsewhere.function(
  {
    name: "unusual",
    ...place,
    ephemeralDisk: "1GiB",
    enableMemorySnapshot: true,
    clustered: { size: 2 },
    proxy: Proxy.fromName("p"),
  },
  () => {},
);
elsewhere.webEndpoint({ name: "domains", customDomains: ["example.org"] }, () => new Response());
elsewhere.function(
  {
    name: "buckets",
    volumes: {
      "/b": new CloudBucketMount("bucket", { secret: Secret.fromName("aws"), keyPrefix: "a/", readOnly: true }),
    },
    image: Image.fromRegistry("ubuntu:24.04", { secret: Secret.fromName("registry"), addNode: "24" })
      .aptInstall("git")
      .pipInstall("six")
      .uvPipInstall("six")
      .npmInstall("ms@2")
      .npmCi()
      .dockerfileCommands("RUN true")
      .runFunction(() => {}, { args: [], secrets: [], volumes: {} })
      .shell(["/bin/sh", "-c"])
      .entrypoint([])
      .cmd(["true"])
      .addLocalFile("a.txt", "/a.txt")
      .addLocalDir("folder", "/folder", { copy: true, ignore: ["*.log"] }),
  },
  () => {},
);
elsewhere.function({ name: "made", image: Image.fromDockerfile("Dockerfile", { context: "." }) }, () => {});
elsewhere.function({ name: "dated", image: Image.debianSlim({ python: "3.13", node: "24" }) }, () => {});
elsewhere.function(
  {
    name: "told",
    secrets: [
      Secret.fromDotenv(".env"),
      Secret.fromLocalEnviron(["HOME"]),
      Secret.fromName("s", { requiredKeys: ["A"] }),
    ],
  },
  () => {},
);
app.include(new App("included"));

export const main = app.localEntrypoint({ key: String }, async ({ key }) => {
  assert.deepEqual(await options.remote(), ["object", "image", "app", "own", "/srv", "made"]);
  assert.equal(await read.remote(), "written");
  assert.equal(await retried.remote(key), 2);

  assert.deepEqual(await together.map([1, 2], { orderOutputs: true, returnExceptions: false }).toArray(), [2, 3]);
  assert.deepEqual(
    (await batched.map([1, 2, 3]).toArray()).toSorted((a, b) => a - b),
    [2, 4, 6],
  );
  const seen: number[] = [];
  for await (const n of generated.remoteGen(3)) seen.push(n);
  assert.deepEqual(seen, [0, 1, 2]);
  assert.equal(pairs.local("a", "b"), "ab");
  assert.deepEqual(await pairs.starmap([["a", "b"]]).toArray(), ["ab"]);
  await together.forEach([1, 2]);
  const spawned = await pairs.spawn("c", "d");
  assert.equal(await FunctionCall.fromId<string>(spawned.id).get({ timeout: "30s" }), "cd");
  assert.deepEqual(await FunctionCall.gather(await together.spawn(1), await pairs.spawn("e", "f")), [2, "ef"]);
  const all: number[] = [];
  for await (const n of (await together.spawnMap([1, 2, 3])).iter()) all.push(n);
  assert.deepEqual(
    all.toSorted((a, b) => a - b),
    [2, 3, 4],
  );
  const endless = await waits.spawn();
  await endless.cancel();
  await assert.rejects(endless.get());
  const [local, input, call] = await where.remote();
  assert.deepEqual([local, typeof input, typeof call, isLocal()], [false, "string", "string", true]);

  assert.deepEqual(await new Counter({ lang: "de" }).told.remote(), ["base", "de", "enterSnapshot", "enter"]);
  const Larger = Counter.withOptions({ memory: 256 });
  assert.deepEqual((await new Larger({ lang: "en", size: "large" }).told.remote()).slice(0, 2), ["large", "en"]);
  assert.equal(await together.withOptions({ timeout: 60 }).withConcurrency({ maxInputs: 2 }).remote(4), 5);
  assert.equal(await batched.withBatching({ maxBatchSize: 2, waitMs: 10 }).remote(4), 8);

  assert.match(await web.getWebUrl(), /table-web/);
  assert.match(await server.getWebUrl(), /^http/);
  const [url, port] = await forwarded.remote();
  assert.match(String(url), /^http/);
  assert.equal(port, "number");
  assert.ok((await together.getCurrentStats()).backlog >= 0);
  await together.updateAutoscaler({ minContainers: 0, maxContainers: 3 });

  await objects();
  await deployed();
  console.log("all of it holds");
});

async function objects(): Promise<void> {
  await using volume = await Volume.ephemeral({ version: 2 });
  await volume.batchUpload((batch) => batch.putFile(Buffer.from("bytes"), "/in/a.txt"));
  assert.equal(await volume.readFile("/in/a.txt").text(), "bytes");
  await volume.copyFiles(["/in/a.txt"], "/b.txt");
  assert.deepEqual((await volume.listdir("/")).map(({ path }) => path).toSorted(), ["b.txt", "in"]);
  for await (const entry of volume.iterdir("/", { recursive: true })) assert.ok(entry.path);
  await volume.removeFile("/in", { recursive: true });

  await using dict = await Dict.ephemeral<string, number>();
  await dict.put("k", 1);
  await dict.update({ l: 2 });
  const keys: string[] = [];
  for await (const key of dict.keys()) keys.push(key);
  assert.deepEqual(keys.toSorted(), ["k", "l"]);
  assert.deepEqual(
    [await dict.get("k"), await dict.contains("m"), await dict.pop("l"), await dict.len()],
    [1, false, 2, 1],
  );

  await using queue = await Queue.ephemeral<number>();
  await queue.putMany([1, 2, 3]);
  for await (const item of queue.iterate()) assert.ok(item > 0);
  assert.deepEqual(
    [await queue.get({ timeout: 10 }), await queue.getMany(5), await queue.get({ block: false })],
    [1, [2, 3], undefined],
  );
  for (const [kind, name] of [
    [Dict, "table-dict"],
    [Queue, "table-queue"],
    [Volume, "table-volume"],
  ] as const) {
    if (kind === Dict) await Dict.fromName(name, { createIfMissing: true }).put("a", 1);
    else if (kind === Queue) await Queue.fromName(name, { createIfMissing: true }).put(1);
    else await Volume.fromName(name, { createIfMissing: true }).listdir();
    await kind.delete(name);
  }
  const found = await App.lookup("table-sandboxes", { createIfMissing: true });
  await assert.rejects(async () => await Sandbox.create({ command: ["bash"], app: found, image }), /sandbox/i);
}

/** It was deployed before. */
async function deployed(): Promise<void> {
  await App.lookup("name-table");
  const there = Func.fromName<typeof pairs>("name-table", "pairs");
  assert.equal(await there.remote("x", "y"), "xy");
  assert.equal(AlsoFunc, Func);
  type Scaled = (n: number, named?: Kwargs<{ scale?: number }>) => number;
  assert.equal(await Func.fromName<Scaled>("name-table", "scaled").remote(2, kwargs({ scale: 3 })), 6);
  const There = Cls.fromName<{ told(): string[] }, { lang: string }>("name-table", "Counter");
  assert.equal((await new There({ lang: "it" }).told.remote())[1], "it");
}
