import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";

import { lockWithin, systemClock, tryLock } from "../src/index.ts";

it("keeps others out until its process dies, even by kill -9", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "lydian-lock-"));
  const file = join(folder.path, "lock");
  const source = `import { tryLock } from ${JSON.stringify(import.meta.resolve("../src/lock.ts"))};
    console.log(tryLock(${JSON.stringify(file)}) === undefined ? "refused" : "held"); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module-typescript", "-e", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(holder.stdout, "data")) as [Buffer];
  assert.equal(line.toString().trim(), "held");
  assert.equal(tryLock(file), undefined);
  const waiting = lockWithin(systemClock, file, 10_000);
  holder.kill("SIGKILL");
  using lock = await waiting;
  assert.equal(lock.file, file);
});
