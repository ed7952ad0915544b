/** Pull and unpack of a large image from a registry on loopback, beside `skopeo copy` and `umoci unpack` in the same run. */
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { silentLogger, systemClock } from "@lydian/kit";
import { debianPrograms, until } from "@lydian/testkit";
import { openHostStore } from "@lydian/worker";

import { median, ms, printTable, quiet } from "./measure.ts";

const run = promisify(execFile);
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 5);
const cache = process.env["LYDIAN_CACHE"] ?? "/var/cache/lydian";
const host = "127.0.0.1:5799";
const reference = `${host}/bench/image:1`;

const packages = ["docker-registry", "skopeo", "umoci", "libgpgme11", "libassuan0", "libdevmapper1.02.1"];
const programs = await debianPrograms(packages, cache);
if (typeof programs === "string") throw new Error(programs);
const { env, path } = programs;

/**
 * About 500 MB in four layers: three of 8,000 small files that pack by half, as packages of a language do, and one of
 * large files.
 */
async function makeLayers(folder: string): Promise<string[]> {
  const small = ["a", "b", "c"].map(async (name) => {
    const root = join(folder, name);
    for (let at = 0; at < 8000; at++) {
      const place = join(root, "usr/lib/packages", String(at % 200));
      await mkdir(place, { recursive: true });
      await writeFile(join(place, `${at}.py`), randomBytes(5000).toString("hex"));
    }
    return root;
  });
  const large = join(folder, "large");
  await mkdir(large);
  for (let at = 0; at < 13; at++) await writeFile(join(large, `lib${at}.so`), randomBytes(10_000_000).toString("hex"));
  return [...(await Promise.all(small)), large];
}

/** By umoci, which wants a layer to be the difference of what it has unpacked before. */
async function pushImage(folder: string): Promise<void> {
  const layers = await makeLayers(join(folder, "files"));
  const layout = join(folder, "source");
  await run(path("umoci"), ["init", "--layout", layout], { env });
  await run(path("umoci"), ["new", "--image", `${layout}:1`], { env });
  for (const layer of layers) await run(path("umoci"), ["insert", "--image", `${layout}:1`, layer, "/"], { env });
  await skopeo(folder, "copy", "--dest-tls-verify=false", `oci:${layout}:1`, `docker://${reference}`);
}

async function skopeo(folder: string, ...args: string[]): Promise<void> {
  await run(path("skopeo"), ["--insecure-policy", "--tmpdir", folder, ...args], { env: { ...env, HOME: folder } });
}

/** Answers the times of copying and of unpacking. */
async function byOthers(folder: string): Promise<[copy: number, unpack: number]> {
  const target = await mkdtemp(join(folder, "others-"));
  const began = performance.now();
  await skopeo(target, "copy", "--src-tls-verify=false", `docker://${reference}`, `oci:${join(target, "oci")}:1`);
  const copied = performance.now();
  await run(path("umoci"), ["unpack", "--image", `${join(target, "oci")}:1`, join(target, "bundle")], { env });
  await run("sync", ["-f", target]); // as a layer is not taken before it is on disk
  const ended = performance.now();
  await rm(target, { recursive: true });
  return [copied - began, ended - copied];
}

async function byLydian(folder: string): Promise<number> {
  const target = await mkdtemp(join(folder, "own-"));
  const options = { cache: target, registry: { mirrors: {} }, clock: systemClock, logger: silentLogger };
  const { images } = await openHostStore(options);
  const began = performance.now();
  await images.resolve(reference, { say: () => {}, signal: new AbortController().signal });
  const ended = performance.now();
  await images.close();
  await rm(target, { recursive: true });
  return ended - began;
}

const folder = await mkdtemp(join(tmpdir(), "lydian-bench-pull-"));
const config = {
  version: 0.1,
  log: { level: "error" },
  storage: { filesystem: { rootdirectory: join(folder, "storage") } },
  http: { addr: host },
};
await writeFile(join(folder, "registry.json"), JSON.stringify(config));
const registry = spawn(path("docker-registry"), ["serve", join(folder, "registry.json")], { env, stdio: "ignore" });
try {
  const answers = (): Promise<boolean> =>
    fetch(`http://${host}/v2/`).then(
      () => true,
      () => false,
    );
  await until(10_000, answers, () => "the registry does not answer");
  await mkdir(join(folder, "files"));
  await pushImage(folder);
  const samples: { copy: number; unpack: number; own: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    await quiet();
    const own = await byLydian(folder);
    await quiet();
    const [copy, unpack] = await byOthers(folder);
    samples.push({ copy, unpack, own });
    console.log(`resolve ${ms(own)}; skopeo ${ms(copy)} + umoci ${ms(unpack)}`);
  }
  const of = (each: (sample: (typeof samples)[number]) => number): number => median(samples.map(each));
  const others = of(({ copy, unpack }) => copy + unpack);
  const own = of((sample) => sample.own);
  printTable(`Pull and unpack of 500 MB from loopback, median of ${rounds}`, [
    ["skopeo copy + umoci unpack", ms(others), `${ms(of(({ copy }) => copy))} + ${ms(of(({ unpack }) => unpack))}`],
    ["resolve", ms(own), `${(others / own).toFixed(2)} x their speed (aim: 0.8)`],
  ]);
} finally {
  registry.kill("SIGKILL");
  await once(registry, "exit");
  await rm(folder, { recursive: true });
}
