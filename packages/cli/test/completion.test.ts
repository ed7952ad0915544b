/** What bash offers after what was typed; the other shells' scripts say the same, and are read by them where they are installed. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

import { completionScript, shells } from "../src/completion.ts";
import { allCommands as load } from "../src/commands.ts";

const allCommands = await load();

/** The last word is the one that is being typed. */
function offered(...words: string[]): string[] {
  const script = `${completionScript("bash", allCommands)}
COMP_WORDS=(lydian "$@"); COMP_CWORD=$#; _lydian; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["--norc", "-c", script, "bash", ...words], {
    encoding: "utf8",
  });
  assert.equal(stderr, "");
  assert.equal(status, 0);
  return stdout.split("\n").filter((line) => line !== "");
}

test("commands, commands of groups, options, and the words that an option takes", () => {
  assert.deepEqual(offered("st"), ["status", "stop"]);
  assert.deepEqual(offered("call", "re"), ["retry"]);
  assert.deepEqual(offered("status", "--w"), ["--watch"]);
  assert.deepEqual(offered("up", "--runtime", ""), ["runc", "process"]);
  assert.deepEqual(offered("call", "list", "--state", "f"), ["failed"]);
  assert.deepEqual(offered("up", "--tls"), ["--tls-cert", "--tls-key"]);
});

test("files, where a file can stand", () => {
  assert.ok(offered("run", "packages/cli/pack").includes("packages/cli/package.json"));
  assert.deepEqual(offered("up", "--tls-cert", "packages/cli/pack"), ["packages/cli/package.json"]);
});

for (const shell of shells) {
  test(`the script for ${shell} is one that it can read, and names every command`, (context) => {
    const script = completionScript(shell, allCommands);
    for (const { name } of allCommands) assert.match(script, new RegExp(`\\b${name}\\b`));
    const { error, status, stderr } = spawnSync(shell, ["-n"], { input: script, encoding: "utf8" });
    if (error !== undefined) return context.skip(`${shell} is not installed`);
    assert.equal(status, 0, stderr);
  });
}
