import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { dockerArchive } from "./real-registry.ts";
import { needsRoot, scratchFolder } from "./scratch.ts";

const main = fileURLToPath(import.meta.resolve("@lydian/cli/main"));

it("takes images from files and lists them, on the command line", { ...needsRoot, timeout: 60_000 }, async (t) => {
  const folder = await scratchFolder(t);
  const env = { ...process.env, LYDIAN_CACHE: join(folder, "cache") };
  const lydian = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=lydian-source", main, ...args], {
      env,
    });
    return stdout;
  };
  assert.equal(await lydian("image", "list"), "No images.\n");
  const file = join(folder, "app.tar");
  await dockerArchive(file, ["team/app:1"], [[{ name: "data", content: "x".repeat(50_000), mode: 0o644 }]]);
  assert.equal(await lydian("image", "import", file), "docker.io/team/app:1\n");
  assert.equal(await lydian("image", "import", file, "--name", "reg.example/other"), "reg.example/other:latest\n");
  assert.match(await lydian("image", "list"), /^docker\.io\/team\/app:1 +file +1 +0\.1 MB +sha256:/m);
  const rows = JSON.parse(await lydian("image", "list", "--json")) as { name: string; layers: string[] }[];
  assert.deepEqual([...new Set(rows.map(({ name }) => name))], ["docker.io/team/app:1", "reg.example/other:latest"]);
  assert.equal(new Set(rows.flatMap(({ layers }) => layers)).size, 1);
  const missing = lydian("image", "import", join(folder, "none.tar"));
  await assert.rejects(missing, { code: 1, stderr: /^Error: cannot read .*none\.tar/ });
});
