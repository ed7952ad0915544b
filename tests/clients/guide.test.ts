/** The examples, among them the snippets of the guide that ask for nothing that is still to come: each runs as it says. */
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { modal, platformOfFile, repositoryRoot, testEachClient } from "@lydian/testkit";

const folder = "examples/python";

/** What each one prints, in this order. */
const examples: Record<string, { prints: readonly string[]; args?: readonly string[]; needs?: "runc" }> = {
  "hello.py": { prints: ["Hello World!"] },
  "guide/quick_start.py": { prints: ["Hello World!"] },
  "guide/app_structure.py": { prints: ["Hello World"] },
  "guide/decorators.py": { prints: ["Hello Ada! That is 10 characters."], args: ["--name", "Ada"] },
  "guide/local_files/app.py": { prints: ["Hello from a folder", "color: blue"], needs: "runc" }, // it has files beside /root
  "guide/lifecycle_hooks.py": {
    prints: ["prediction for a cat", "prediction for a dog", "The model is cleaned up."],
  },
  "guide/function_configuration.py": { prints: ["True in at most 10 containers: True"] },
  "guide/batch_processing.py": { prints: ["Processed 10000 items"] },
  "guide/map_reduce.py": { prints: ["Result: 333332833333500000"] },
};

// Before the first test: the run of a file may end with the tests that it has by then.
const platform = await platformOfFile();

test("every example has a test", () => {
  const files = globSync("**/*.py", { cwd: join(repositoryRoot, folder) });
  assert.deepEqual(files.sort(), Object.keys(examples).sort());
});

for (const [file, { prints, args = [], needs }] of Object.entries(examples)) {
  if (needs !== undefined && needs !== platform.runtime) continue;
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
