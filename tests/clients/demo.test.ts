/** `npm run demo`, less its set-up: it shows a function in a container, and leaves nothing, however it ends. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";

import {
  Program,
  type HostNames,
  hostNames,
  hostTraces,
  missingClient,
  newestClient,
  repositoryRoot,
  usualRuntime,
} from "@lydian/testkit";

const client = missingClient(newestClient);
const containers = usualRuntime === "runc" ? client : "containers cannot run here";
const firstImageMs = 300_000;

const command = [process.execPath, "--conditions=lydian-source", "examples/demo.ts"];

function demo(words: readonly string[] = command): Program {
  const [file = "", ...args] = words;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return new Program(file, args, { cwd: repositoryRoot, env: { ...env, LYDIAN_REGISTRY: "none" } });
}

/** While it runs: the names that its platform has on the host. */
async function namesOf(program: Program): Promise<HostNames> {
  await program.sees(/ready after/);
  return hostNames(/--data (\S+)/.exec(program.stdout)?.[1] ?? "");
}

async function leftNothing(names: HostNames): Promise<void> {
  assert.deepEqual(await hostTraces(names), []);
  assert.ok(!existsSync(names.data));
}

test(
  "it runs the function in a container and leaves nothing",
  { skip: containers, timeout: firstImageMs },
  async () => {
    await using program = demo();
    const names = await namesOf(program);
    assert.notDeepEqual(await hostTraces(names), [], "it is here now");
    const output = await program.finishWith(0, firstImageMs);
    assert.match(output, /Hello World![^]*It works\./);
    assert.doesNotMatch(output, /without isolation/);
    await leftNothing(names);
  },
);

test("broken off by Ctrl-C it leaves nothing either", { skip: containers }, async () => {
  await using program = demo();
  const names = await namesOf(program);
  await program.sees("Created Function");
  program.signal("SIGINT", "group");
  await program.finishWith(1);
  await leftNothing(names);
});

test("where containers cannot run it says what is missing and how to go on", { skip: containers }, async () => {
  const hidden = (...more: string[]): Program =>
    demo(["unshare", "--mount", "sh", "-ec", 'mount --bind /dev/null "$(command -v runc)"; exec "$@"', "sh", ...more]);
  await using refused = hidden(...command);
  const said = await refused.finishWith(1);
  assert.match(said, /runc: is not on the PATH\n.*-> .*apt-get install runc/);
  const way = /npm run demo -- (.*)$/m.exec(said)?.[1] ?? assert.fail(said);
  await using shown = hidden(...command, ...way.split(" "));
  assert.match(await shown.finishWith(0), /without isolation[^]*Hello World![^]*It works\./);
});
