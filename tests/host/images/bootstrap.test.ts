import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { lstat, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { promisify } from "node:util";

import type { BaseImagesOptions } from "@lydian/worker/src/images/base-images";
import { hostRelease } from "@lydian/worker/src/images/debian";
import { describePython, isDistributions } from "@lydian/worker/src/images/host-python-files";
import { packageSettings } from "@lydian/worker/src/images/package-settings";
import { PrivateRoot } from "@lydian/worker/src/images/private-root";
import { type Layer, parseMountInfo } from "@lydian/worker/src/layers/index";
import { Interpreters } from "@lydian/worker/src/runners/interpreters";
import { cache, imagesIn, needsRoot, pythonStack, scratchFolder, waiter } from "./scratch.ts";

/** What the public clients support and this image is made for; those that the host lacks are passed over. */
/** Each takes a quarter of a minute, and all go the same way. */
const minors = process.env["LYDIAN_PYTHONS"] === "all" ? ["3.10", "3.11", "3.12", "3.13"] : ["3.12"];

/** On a fresh cache packages are fetched and installed. */
const patience = { timeout: 300_000 };

const never = new AbortController().signal;

async function sizeMb({ diff }: Layer): Promise<string> {
  const { stdout } = await promisify(execFile)("du", ["-s", "--block-size=1000000", diff]);
  return `${stdout.split("\t", 1)[0]} MB`;
}

/** A root on the stack as the bootstrap's own steps have it; with the network when it has the host's settings. */
async function rootOn(
  t: TestContext,
  stack: readonly Layer[],
  network: "network" | "no network",
): Promise<PrivateRoot> {
  const settings = network === "network" ? await packageSettings() : undefined;
  const scratch = await scratchFolder(t);
  return PrivateRoot.make(
    scratch,
    stack.map(({ diff }) => diff),
    settings,
  );
}

/** The stack from the shared cache, with how long it took and how large it is in the test's report. */
async function stackOf(
  t: TestContext,
  python: string,
  options: Partial<BaseImagesOptions> = {},
): Promise<readonly Layer[]> {
  const images = await imagesIn(cache, options);
  const waiting = waiter();
  const began = performance.now();
  const stack = await pythonStack(images, python, waiting);
  const took = ((performance.now() - began) / 1000).toFixed(1);
  const sizes = await Promise.all(stack.map(async (layer) => `${layer.id} ${await sizeMb(layer)}`));
  t.diagnostic(`${took} s; ${sizes.join(", ")}`);
  for (const line of waiting.lines) t.diagnostic(line);
  return stack;
}

/** Paths of regular files and links below a folder. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length));
}

const usesEverything = `
import sys, os, ssl, ctypes, sqlite3, bz2, lzma, zlib, readline, curses, hashlib, multiprocessing, venv, json, sysconfig
ssl.create_default_context()
assert ctypes.CDLL(None).getpid() == os.getpid()
assert sqlite3.connect(":memory:").execute("select sqlite_version()").fetchone()
assert lzma.decompress(lzma.compress(b"x")) == bz2.decompress(bz2.compress(b"x")) == b"x"
hashlib.new("sha3_256")
print(json.dumps([list(sys.version_info[:2]), sys.prefix, sys.executable, json.__cached__, json.loads.__code__.co_filename, sysconfig.get_config_var("LIBDIR")]))
`;

it("has a base system without anything of this host's own", { ...needsRoot, ...patience }, async (t) => {
  const stack = await stackOf(t, "3.11");
  const base = stack.at(-1)?.diff ?? "";
  for (const folder of ["etc/apt/sources.list.d", "var/lib/apt/lists", "var/cache/apt", "dev", "tmp"]) {
    assert.deepEqual(await readdir(join(base, folder)), [], folder);
  }
  assert.ok(!(await readdir(join(base, "etc"))).some((name) => ["hostname", "machine-id"].includes(name)));
  assert.equal(await readFile(join(base, "etc/resolv.conf"), "utf8"), "");
  const conf = await readdir(join(base, "etc/apt/apt.conf.d"));
  assert.deepEqual(
    conf.filter((name) => /host|mmdebstrap/.test(name)),
    [],
  );
  const { mode, uid } = await lstat(base);
  assert.deepEqual([mode & 0o7777, uid], [0o755, 0]);
});

for (const minor of minors) {
  it(`runs Python ${minor} and installs packages`, { ...needsRoot, ...patience }, async (t) => {
    const missing = await new Interpreters().find(minor).then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (missing !== undefined) return t.skip(missing);
    if (isDistributions(await describePython(await new Interpreters().find(minor))))
      return t.skip("it is the distribution's");
    const stack = await stackOf(t, minor, {
      release: async () => ({ ...(await hostRelease()), python: undefined }), // the host's own, however it was built
      folder: await scratchFolder(t),
    });
    const offline = await rootOn(t, stack, "no network");
    const answer = await offline.run(["/usr/local/bin/python", "-c", usesEverything], {
      name: "python",
      signal: never,
    });
    const library = `/usr/local/lib/python${minor}`;
    const [version, prefix, executable, cached, filename, libdir] = JSON.parse(answer) as [
      number[],
      string,
      string,
      string,
      string,
      string,
    ];
    assert.deepEqual([version.join("."), prefix, executable], [minor, "/usr/local", "/usr/local/bin/python"]);
    assert.ok(cached.startsWith(`${library}/json/__pycache__/`), cached);
    assert.equal(filename, `${library}/json/__init__.py`); // compiled here, for tracebacks
    assert.equal(libdir, "/usr/local/lib");
    const online = await rootOn(t, stack, "network");
    await online.run(["pip", "install", "--no-input", "six"], { name: "pip install six", signal: never });
    const six = await online.run(["python3", "-c", "import six; print(six.__file__)"], {
      name: "six",
      signal: never,
    });
    assert.equal(six.trim(), `${library}/site-packages/six.py`);
    // What the build was shown of the host is not in what it wrote, not even as an empty file.
    const written = (await filesBelow(online.upper)).filter((path) => !path.startsWith(`${library}/site-packages/`));
    assert.deepEqual(
      written.filter((path) => !/^\/(root\/\.cache|tmp)\//.test(path) && !path.includes("__pycache__")),
      [],
    );
  });
}

it("has the release's own Python where the host has no other", { ...needsRoot, ...patience }, async (t) => {
  const stack = await stackOf(t, "3.11", {
    interpreters: new Interpreters(() => Promise.resolve(["/usr/bin"])),
    folder: await scratchFolder(t), // where no other way is remembered
  });
  const root = await rootOn(t, stack, "network");
  await root.run(["pip", "install", "--no-input", "six"], { name: "pip install six", signal: never });
  const six = await root.run(["/usr/local/bin/python", "-c", "import six, sys; print(six.__file__, sys.prefix)"], {
    name: "six",
    signal: never,
  });
  assert.equal(six.trim(), "/usr/local/lib/python3.11/dist-packages/six.py /usr");
  const layer = await filesBelow(stack[0]?.diff ?? "");
  assert.deepEqual(
    layer.filter((path) => /EXTERNALLY-MANAGED|resolv\.conf|00host|sources\.list|\.deb$/.test(path)),
    [],
  );
});

it(
  "has the release's own Python where the host's does not work in an image, and says so",
  { ...needsRoot, ...patience },
  async (t) => {
    const prefix = await scratchFolder(t);
    for (const folder of ["bin", "lib/python3.11", "include"]) await mkdir(join(prefix, folder), { recursive: true });
    const [program, stdlib, include] = [
      join(prefix, "bin/python3.11"),
      join(prefix, "lib/python3.11"),
      join(prefix, "include"),
    ];
    const parts = JSON.stringify({ version: "3.11.99", prefix, stdlib, include, libraries: join(prefix, "lib") });
    const script = [
      "#!/bin/sh",
      `case "$*" in *base_prefix*) echo '${parts}';; *CONFIG_ARGS*) echo --enable-optimizations;;`,
      `*) echo 3.11; echo ${program};; esac`,
      "",
    ];
    await writeFile(program, script.join("\n"), { mode: 0o755 });
    const waiting = waiter();
    const images = await imagesIn(cache, {
      interpreters: new Interpreters(() => Promise.resolve([join(prefix, "bin")])),
      folder: await scratchFolder(t),
    });
    const stack = await pythonStack(images, "3.11", waiting);
    assert.match(stack[0]?.id ?? "", /^[a-z]+-python-/);
    assert.match(
      waiting.lines.join("\n"),
      /Python 3\.11\.99 of .* does not work in an image: .*; the distribution's own is taken/s,
    );
  },
);

it("is found within a moment by the next worker, which runs nothing for it", patience, async (t) => {
  const stack = await stackOf(t, "3.12");
  const images = await imagesIn(cache);
  const waiting = waiter();
  const began = performance.now();
  assert.deepEqual(await pythonStack(images, "3.12", waiting), stack);
  const first = performance.now() - began;
  await pythonStack(images, "3.12", waiting);
  t.diagnostic(`found in ${first.toFixed(0)} ms, again in ${(performance.now() - began - first).toFixed(1)} ms`);
  assert.deepEqual(waiting.lines, []);
  assert.ok(first < 500, `${first} ms`);
});

it("names the versions that there are when one is missing", needsRoot, async () => {
  const images = await imagesIn(cache);
  await assert.rejects(pythonStack(images, "3.99", waiter()), {
    message: /^there is no image with Python 3\.99: there is no Python 3\.99 on this host; it has .*3\.\d+$/,
    hint: /install Python 3\.99 .* OCI registry/,
  });
  await assert.rejects(pythonStack(images, "3.11; rm -rf /", waiter()), /is no name of an image/);
});

it("leaves no mount behind", needsRoot, async (t) => {
  const folder = await scratchFolder(t);
  await mkdir(join(folder, "unused"));
  const mounts = parseMountInfo(await readFile("/proc/self/mountinfo", "utf8"));
  assert.deepEqual(
    mounts.filter(({ point }) => point.startsWith(cache) || point.includes("/lydian-images-")),
    [],
  );
});
