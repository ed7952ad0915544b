/** The examples, among them the snippets of the guide's Quick Start and Core Concepts: every one runs as it says. */
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { modal, platformOfFile, repositoryRoot, testEachClient } from "@lydian/testkit";

const folder = "examples/python";

/** What each one prints, in this order. */
const examples: Record<string, { prints: readonly string[]; args?: readonly string[] }> = {
  "hello.py": { prints: ["Hello World!"] },
  "guide/quick_start.py": { prints: ["Hello World!"] },
  "guide/app_structure.py": { prints: ["Hello World"] },
  "guide/decorators.py": { prints: ["Hello Ada! That is 10 characters."], args: ["--name", "Ada"] },
  "guide/lifecycle_hooks.py": {
    prints: ["prediction for a cat", "prediction for a dog", "The model is cleaned up."],
  },
};

test("every example has a test", () => {
  const files = globSync("**/*.py", { cwd: join(repositoryRoot, folder) });
  assert.deepEqual(files.sort(), Object.keys(examples).sort());
});

const platform = await platformOfFile();

for (const [file, { prints, args = [] }] of Object.entries(examples)) {
  testEachClient(file, async (version) => {
    await using run = modal(platform, version, ["run", `${folder}/${file}`, ...args]);
    const lines = (await run.finishWith(0)).split("\n");
    assert.deepEqual(
      lines.filter((line) => prints.includes(line)),
      prints,
      run.output,
    );
  });
}

testEachClient("a class loads once per container and cleans up at its end", async (version) => {
  await using run = modal(platform, version, ["run", `${folder}/guide/lifecycle_hooks.py`]);
  const output = await run.finishWith(0);
  assert.equal(output.match(/^The model is loaded\.$/gm)?.length, 1, output);
  assert.equal(output.match(/^The model is cleaned up\.$/gm)?.length, 1, output);
});
