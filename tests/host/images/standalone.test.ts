import assert from "node:assert/strict";
import { mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";

import { PrivateRoot } from "@lydian/worker/src/images/private-root";
import { makeWhiteout } from "@lydian/worker/src/layers/index";
import { Interpreters } from "@lydian/worker/src/runners/interpreters";
import { cache, imagesIn, needsRoot, scratchFolder, waiter } from "./scratch.ts";

const patience = { timeout: 300_000 };
const signal = new AbortController().signal;

/** What an image of the distribution without any additions does not have. */
const additions = /^lib(ssl|crypto|ffi|sqlite3|bz2|readline|ncursesw|panelw|uuid|expat|gdbm)\b/;

/** A layer that hides these libraries of the base system. */
async function bareLayer(t: TestContext, base: string): Promise<string> {
  const folder = await scratchFolder(t);
  const [machine = ""] = (await readdir(join(base, "usr/lib"))).filter((name) => name.endsWith("-linux-gnu"));
  const libraries = join("usr/lib", machine);
  await mkdir(join(folder, libraries), { recursive: true });
  for (const name of await readdir(join(base, libraries))) {
    if (additions.test(name)) makeWhiteout(folder, join(libraries, name));
  }
  return folder;
}

const usesEverything = `
import ssl, ctypes, sqlite3, bz2, lzma, zlib, readline, curses, uuid, hashlib, venv, sys
ssl.create_default_context()
assert sqlite3.connect(":memory:").execute("select sqlite_version()").fetchone()
assert lzma.decompress(lzma.compress(b"x")) == bz2.decompress(bz2.compress(b"x")) == b"x"
ctypes.CDLL(None).getpid()
print(sys.prefix, "%d.%d" % sys.version_info[:2])
`;

/** The Python, and the release of packages that it is tried with. */
const minors = [
  ["3.12", "20240107"],
  ["3.13", "20241008"],
] as const;

for (const [python, release] of process.env["LYDIAN_PYTHONS"] === "all" ? minors : minors.slice(0, 1)) {
  it(
    `has Python ${python} with pip as a tree for images that lack all it needs`,
    { ...needsRoot, ...patience },
    async (t) => {
      const missing = await new Interpreters().find(python).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (missing !== undefined) return t.skip(missing);
      const images = await imagesIn(cache);
      const layer = await images.standalonePython({ python, release }, waiter());
      assert.deepEqual(await readdir(layer.diff), ["python"]);
      const bin = await readdir(join(layer.diff, "python/bin"));
      assert.ok(bin.includes("pip") && bin.includes("python3"), bin.join(" "));
      assert.equal(bin.includes("python"), release >= "20241008");

      const { layers } = await images.resolve("debian:bookworm-slim", waiter());
      const base = layers[0]?.diff ?? "";
      const scratch = await scratchFolder(t);
      const copying = await PrivateRoot.make(scratch, [layer.diff, base]);
      await copying.run(["/bin/cp", "-a", "/python/.", "/usr/local"], { name: "cp", signal });
      const copied = join(scratch, "copied");
      await mkdir(copied);
      await rename(join(copying.upper, "usr"), join(copied, "usr"));

      const root = await PrivateRoot.make(await scratchFolder(t), [await bareLayer(t, base), copied, base]);
      const answer = await root.run(["/usr/local/bin/python3", "-I", "-c", usesEverything], {
        name: "python3",
        signal,
      });
      assert.equal(answer.trim(), `/usr/local ${python}`);
      const pip = await root.run(["/usr/local/bin/pip", "--version"], { name: "pip", signal });
      assert.match(pip, new RegExp(`/usr/local/lib/python${python.replace(".", "\\.")}/site-packages/pip`));
      await root.run(["/usr/local/bin/python3", "-m", "venv", "/opt/venv"], { name: "venv", signal });
      await root.run(["/opt/venv/bin/python", "-c", "import ssl, pip"], { name: "the environment's python", signal });
    },
  );
}
