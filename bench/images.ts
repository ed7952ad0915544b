/** What images cost: one that is there, a step of a build, packages beside `buildah`, many files, many layers. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { silentLogger, systemClock } from "@lydian/kit";
import { clientProgram, debianPrograms, newestClient, Platform, type Program, python, until } from "@lydian/testkit";
import { openHostStore } from "@lydian/worker";

import { median, ms, printTable } from "./measure.ts";

const run = promisify(execFile);
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 5);
const cache = process.env["LYDIAN_CACHE"] ?? "/var/cache/lydian";
const patienceMs = 900_000;
/** With what they need, some 60 MB; with native code and with many small files. */
const packages = ["numpy", "pydantic", "sqlalchemy", "aiohttp", "botocore"];

interface Pairs {
  readonly one: readonly number[];
  readonly other: readonly number[];
}

/** Tells the client's program what to measure; its answers come in order. */
class Client {
  readonly #program: Program;
  #answers = 0;

  constructor(program: Program) {
    this.#program = program;
  }

  async measure(name: string): Promise<Pairs> {
    console.error(`${name} …`);
    this.#program.tell(`${name}\n`);
    const at = this.#answers++;
    const answer = await until(
      patienceMs,
      () => {
        if (this.#program.end !== undefined) throw new Error(this.#program.describe("ended"));
        return this.#program.stdout.split("\n").filter((text) => text.startsWith("{"))[at];
      },
      () => this.#program.describe(`does not answer ${name}`),
    );
    const { one, other } = JSON.parse(answer) as Pairs;
    const milli = (seconds: number): number => seconds * 1000;
    const pairs = { one: one.map(milli), other: other.map(milli) };
    console.error(`${name}: ${ms(median(pairs.one))}${other.length > 0 ? `, without ${ms(median(pairs.other))}` : ""}`);
    return pairs;
  }
}

/** The root of the image that the client builds on, as one folder; unmounted when that is disposed of. */
async function baseRoot(folder: string): Promise<AsyncDisposable & { readonly path: string }> {
  const { images } = await openHostStore({
    cache,
    registry: { mirrors: {} },
    clock: systemClock,
    logger: silentLogger,
  });
  const version = await run(clientProgram(newestClient, "python"), [
    "-c",
    "import sys; print('%d.%d' % sys.version_info[:2])",
  ]);
  const name = `python:${version.stdout.trim()}-slim-bookworm`;
  const image = await images.resolve(name, { say: () => {}, signal: new AbortController().signal });
  const path = join(folder, "base");
  await mkdir(path);
  const lowers = image.layers.map((layer) => layer.diff).join(":");
  await run("mount", [
    "-t",
    "overlay",
    "overlay",
    "-o",
    `lowerdir=${lowers},upperdir=${folder}/u,workdir=${folder}/w`,
    path,
  ]);
  return { path, [Symbol.asyncDispose]: async () => void (await run("umount", [path])) };
}

/** What a step costs where nothing is kept: the command in a chroot. */
async function bareStep(root: string): Promise<number[]> {
  const samples: number[] = [];
  for (let round = 0; round < rounds * 4; round++) {
    const began = performance.now();
    await run("chroot", [root, "/bin/sh", "-c", "true"]);
    samples.push(performance.now() - began);
  }
  return samples;
}

/** The same install as a step of `buildah`'s own, without its cache; undefined where it cannot be had. */
async function byBuildah(folder: string, root: string, wheels: string): Promise<number[] | string> {
  const list = ["buildah", "libgpgme11", "libassuan0", "libdevmapper1.02.1", "golang-github-containers-common"];
  const programs = await debianPrograms(list, cache);
  if (typeof programs === "string") return programs;
  const { env, path } = programs;
  const policy = join(folder, "policy.json");
  await writeFile(policy, JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
  const places = ["--root", join(folder, "storage"), "--runroot", join(folder, "run"), "--storage-driver", "overlay"];
  const buildah = (...args: string[]) =>
    run(path("buildah"), [...places, ...args], { env: { ...env, HOME: folder, TMPDIR: folder }, maxBuffer: 2 ** 26 });
  try {
    const { stdout } = await buildah("from", "scratch");
    const container = stdout.trim();
    await buildah("copy", "-q", container, root, "/");
    await buildah("copy", "-q", container, wheels, "/wheels");
    await buildah("commit", "-q", "--signature-policy", policy, container, "bench-base");
    await writeFile(
      join(folder, "Containerfile"),
      `FROM localhost/bench-base\nRUN python -m pip install ${packages.join(" ")} --no-index --find-links /wheels --no-cache-dir\n`,
    );
    const build = [
      "bud",
      "-q",
      "--isolation",
      "oci",
      "--runtime",
      "runc",
      "--network",
      "host",
      "--no-cache",
      "--layers",
      "--signature-policy",
      policy,
    ];
    const samples: number[] = [];
    for (let round = 0; round < rounds + 1; round++) {
      const began = performance.now();
      await buildah(...build, "-t", `bench-${round}`, "-f", join(folder, "Containerfile"), folder);
      if (round > 0) samples.push(performance.now() - began);
    }
    return samples;
  } catch (error) {
    return String(error).split("\n").slice(0, 3).join(" ");
  } finally {
    await buildah("rm", "--all"); // takes its mounts away
  }
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "lydian-bench-images-"));
  await using _folder = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
  for (const name of ["u", "w", "wheels"]) await mkdir(join(folder, name));
  const wheels = join(folder, "wheels");
  const program = clientProgram(newestClient, "python");
  await run(program, ["-m", "pip", "download", "-q", "--only-binary", ":all:", "-d", wheels, ...packages]);
  const results = new Map<string, Pairs>();
  {
    await using platform = await Platform.start({
      runtime: "runc",
      args: ["--log-level", "warn"],
    });
    const env = { BENCH_WHEELS: wheels, BENCH_PACKAGES: packages.join(","), BENCH_ROUNDS: String(rounds) };
    await using client = python(platform, newestClient, ["bench/images.py"], { listens: true, env });
    const bench = new Client(client);
    for (const name of ["built", "steps", "files", "layers", "wheels"]) results.set(name, await bench.measure(name));
  }
  const of = (name: string): { one: number; other: number; more: number } => {
    const { one = [], other = [] } = results.get(name) ?? {};
    return { one: median(one), other: median(other), more: median(one.map((value, at) => value - (other[at] ?? 0))) };
  };
  await using root = await baseRoot(folder);
  const bare = median(await bareStep(root.path));
  const others = await byBuildah(folder, root.path, wheels);
  const [built, steps, files, layers] = [of("built"), of("steps"), of("files"), of("layers")];
  const pip = median(results.get("wheels")?.one ?? []);
  printTable(`images, client ${newestClient}, medians of ${rounds} pairs`, [
    ["", "with", "without", "more", "aim"],
    [
      "app.run() with a chain of 5 images that are built; with their base",
      ms(built.one),
      ms(built.other),
      ms(built.more),
      "50 ms",
    ],
    [
      "a step that does nothing (of ten); in a chroot",
      ms(steps.more / 10),
      ms(bare),
      ms(steps.more / 10 - bare),
      "100 ms",
    ],
    ["first call with 10,000 files mounted; with none", ms(files.one), ms(files.other), ms(files.more), "100 ms"],
    ["first call with 30 layers; with one", ms(layers.one), ms(layers.other), ms(layers.more), "10 ms"],
  ]);
  if (typeof others === "string") console.log(`\nbuildah did not run: ${others}`);
  else {
    printTable(`pip install of ${packages.join(", ")} from wheels in the image`, [
      ["", "median"],
      ["Lydian, from the client's request to the image", ms(pip)],
      ["buildah bud --isolation oci", ms(median(others))],
    ]);
  }
}

await main();
