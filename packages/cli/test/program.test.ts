import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { PlatformError } from "@lydian/kit";

import { type CliCommand, UsageError } from "../src/command.ts";
import { allCommands as load } from "../src/commands.ts";
import { runProgram } from "../src/program.ts";
import { captureTerminal } from "./captured-terminal.ts";

const allCommands = await load();

async function lydian(args: string[], commands?: readonly CliCommand[]) {
  const { terminal, out, err } = captureTerminal();
  const status = await runProgram(args, terminal, commands);
  return { status, out: out(), err: err() };
}

const command = (run: CliCommand["run"]): CliCommand[] => [
  { name: "try", summary: "", description: "", options: [], examples: [{ line: "lydian try", effect: "try" }], run },
];

for (const args of [
  ["up", "--prot", "1"],
  ["up", "--port", "many"],
  ["up", "--port", "65536"],
  ["up", "--runtime", "docker"],
  ["up", "--workspace", "Big Company"],
  ["up", "--public-url", "example.com"],
  ["up", "--limits", '{"containers":1}'],
  ["up", "--times", "{"],
  ["up", "extra"],
  ["setup", "--profile", "a b"],
  ["dwon"],
  [],
]) {
  it(`takes \`lydian ${args.join(" ")}\` for an error of usage`, async () => {
    const { status, out, err } = await lydian(args);
    assert.equal(status, 2);
    assert.equal(out, "");
    assert.notEqual(err, "");
  });
}

it("helps with each command: all its options, and examples at the end", async () => {
  const { status, out } = await lydian(["--help"]);
  assert.equal(status, 0);
  for (const { name, summary } of allCommands) assert.match(out, new RegExp(`${name}\\b.*${summary}`));
  const all = allCommands.flatMap((entry) =>
    "commands" in entry
      ? entry.commands.map((command) => ({ path: [entry.name, command.name], ...command }))
      : [{ path: [entry.name], ...entry }],
  );
  for (const { path, options, examples } of all) {
    const help = (await lydian([...path, "--help"])).out;
    for (const option of options) assert.ok(help.includes(option.flags), `${path.join(" ")} lacks ${option.flags}`);
    assert.ok(help.includes(examples[0]?.line ?? "?"));
    assert.ok(help.lastIndexOf("Examples:") > help.lastIndexOf("--help"));
  }
});

it("prints errors for people without a stack, and its own faults with one", async () => {
  const forPeople = await lydian(
    ["try"],
    command(() => Promise.reject(new PlatformError("no tea", { hint: "boil water" }))),
  );
  assert.deepEqual(forPeople, { status: 1, out: "", err: "Error: no tea\nHint: boil water\n" });
  const usage = await lydian(
    ["try"],
    command(() => Promise.reject(new UsageError("one cup only"))),
  );
  assert.deepEqual(usage, { status: 2, out: "", err: "Error: one cup only\n" });
  const fault = await lydian(
    ["try"],
    command(() => Promise.reject(new TypeError("cup is undefined"))),
  );
  assert.equal(fault.status, 1);
  assert.match(fault.err, /^TypeError: cup is undefined\n\s+at [^]*a fault of Lydian's own/);
});

it("is a program that knows its version and writes no colours into a pipe", async () => {
  const main = fileURLToPath(import.meta.resolve("../src/main.ts"));
  const run = (arg: string) => promisify(execFile)(process.execPath, ["--conditions=lydian-source", main, arg]);
  assert.match((await run("--version")).stdout, /^\d+\.\d+\.\d+\n$/);
  await assert.rejects(run("setpu"), (error: { code: number; stderr: string }) => {
    assert.equal(error.code, 2);
    assert.match(error.stderr, /^Error: unknown command 'setpu'\n\(Did you mean setup\?\)/);
    return true;
  });
});
