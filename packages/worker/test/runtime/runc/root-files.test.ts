import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { filesOfRoot } from "../../../src/runtime/runc/root-files.ts";
import { temporaryFolder } from "../../support/temporary.ts";

test("are those that nobody else may open, and no folders", async (t) => {
  const folder = await temporaryFolder(t);
  for (const [name, mode] of [
    ["secret", 0o400],
    ["written", 0o600],
    ["shown", 0o444],
  ] as const) {
    await writeFile(join(folder, name), "");
    await chmod(join(folder, name), mode);
  }
  await mkdir(join(folder, "inner"), { mode: 0o700 });
  assert.deepEqual(filesOfRoot(folder).toSorted(), [join(folder, "secret"), join(folder, "written")]);
});
