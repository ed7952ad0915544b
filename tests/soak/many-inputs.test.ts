/** A million inputs that wait: the unit tier's story of many inputs, with five times as many and to its end. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";

import { repositoryRoot } from "@lydian/testkit";

const inputs = process.env["LYDIAN_INPUTS"] ?? "1000000";

test(`${inputs} inputs wait and end without weight`, { timeout: 3_600_000 }, async (t) => {
  const story = join(repositoryRoot, "packages", "server", "test", "story", "many-inputs.test.ts");
  const { NODE_TEST_CONTEXT: _, ...env } = process.env; // it would make the inner run skip the file
  const child = spawn(process.execPath, ["--conditions=lydian-source", "--test", story], {
    env: { ...env, LYDIAN_INPUTS: inputs },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  for (const [line] of output.matchAll(/^.*(?:MiB|stood still).*$/gm)) t.diagnostic(line);
  assert.equal(code, 0, output);
});
