/** The examples in TypeScript: each runs as it says. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { platformOfFile, Program, repositoryRoot, runLydian } from "@lydian/testkit";

const platform = await platformOfFile();
const folder = "examples/typescript";

interface Example {
  /** In any order: a container's output and the program's own come by two ways. */
  prints: readonly string[];
  args?: readonly string[];
  needs?: "runc";
}

const greetings = Array<string>(5).fill("Hello, Ada, from linux");
const examples: Record<string, Example> = {
  "hello.ts": { args: ["--name", "Ada"], prints: greetings },
  "report.ts": { prints: ["true 2026-11: 42 EUR"], needs: "runc" },
  "crawl.ts": {
    args: ["--count", "3", "--site", "data:text/html,<title>page "],
    prints: ["page 0", "page 1", "page 2", "no title: []"],
  },
  "watch.ts": { prints: ["now 80, from 100", "price: 80"] },
  "model.ts": { prints: ["TO", "BE", "OR", "NOT"] },
};

for (const [name, { prints, args = [], needs }] of Object.entries(examples)) {
  const skip = needs !== undefined && platform.runtime !== needs ? `it needs the runtime ${needs}` : false;
  test(name, { skip }, async () => {
    await using program = runLydian(["run", "-q", join(folder, name), ...args], platform.env);
    await program.finishWith(0);
    const lines = program.stdout.split("\n").filter((line) => prints.includes(line));
    assert.deepEqual(lines.toSorted(), prints.toSorted());
  });
}

test("client.ts", async () => {
  await using deployed = runLydian(["deploy", "-q", join(folder, "hello.ts")], platform.env);
  await deployed.finishWith(0);
  const args = ["--conditions=lydian-source", join(folder, "client.ts")];
  await using program = new Program(process.execPath, args, { cwd: repositoryRoot, env: platform.env });
  assert.match(await program.finishWith(0), /^Hello, Ada, from linux\ntrue Hello, Bob, from linux\n$/);
});

test("there is no example that is not run", () => {
  const known = new Set([...Object.keys(examples), "client.ts", "engine.ts"]);
  assert.deepEqual(
    readdirSync(join(repositoryRoot, folder)).filter((name) => !known.has(name)),
    [],
  );
});
