/** The table of docs/typescript.md from Python's names to TypeScript's: each row stands in a program that type-checks, and runs. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { platformOfFile, Program, repositoryRoot, runLydian } from "@lydian/testkit";

const platform = await platformOfFile();
const folder = "tests/clients/apps/typescript";
const skip = platform.runtime === "runc" ? false : "its image has steps";

/** The second column of each row but those of commands, which are no program's. */
function rows(): string[] {
  const page = readFileSync(join(repositoryRoot, "docs/typescript.md"), "utf8");
  const [, table = ""] = /^## From Python to TypeScript\n([\s\S]*?)\n\n[^|\n]/m.exec(page) ?? [];
  const cells = table.split("\n").map((line) => line.split(/(?<!\\)\|/)[2]?.trim() ?? "");
  return cells.filter((cell) => cell.includes("`") && !cell.includes("`lydian "));
}

/** What a cell has in code, word by word: names alone. */
function namesIn(cell: string): string[] {
  const code = [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text.replaceAll(/"[^"]*"/g, ""));
  return code.flatMap((text) => text.match(/[A-Za-z]{3,}/g) ?? []).filter((word) => !placeholders.has(word));
}

const placeholders = new Set(["flags", "ref", "target", "options", "path", "from", "start", "name"]);

test("every name of the table is in the program", () => {
  const program = ["name-table.ts", "name-table-run.ts"]
    .map((file) => readFileSync(join(repositoryRoot, folder, file), "utf8"))
    .join("\n");
  assert.ok(rows().length > 30, `${rows().length} rows were found`);
  const missing = rows().flatMap((cell) =>
    namesIn(cell)
      .filter((word) => !new RegExp(`\\b${word}\\b`).test(program))
      .map((word) => `${word}: ${cell}`),
  );
  assert.deepEqual(missing, []);
});

test("the program holds", { skip }, async () => {
  await using deployed = runLydian(["deploy", "-q", `${folder}/name-table.ts`], platform.env);
  await deployed.finishWith(0);
  await using run = runLydian(["run", `${folder}/name-table.ts`, "--key", "first"], platform.env);
  assert.match(await run.finishWith(0), /^all of it holds$/m);
  assert.match(run.output, /the exit hook of a class/);
});

test("an app is run and deployed by a program of its own", { skip }, async () => {
  const args = ["--conditions=lydian-source", `${folder}/name-table-run.ts`];
  await using program = new Program(process.execPath, args, { cwd: repositoryRoot, env: platform.env });
  assert.match(await program.finishWith(0), /^ab ab$/m);
});
