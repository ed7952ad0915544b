/** Functions whose process ends in the middle of an input: the input is given to another, but not for ever. */
import assert from "node:assert/strict";

import { modal, newestClient, platformOfFile, testEachClient } from "@lydian/testkit";

import { app } from "./stories.ts";

const platform = await platformOfFile();

const ends = { exit: "exited with code 3", crash: "was killed by SIGSEGV" } as const;

const attemptsIn = (output: string): number => new Set(output.match(/(?<=^attempt \d+ in )ta-\w+/gm)).size;

for (const [how, words] of Object.entries(ends)) {
  testEachClient(`a process that ${words} is started anew, and its input is answered`, async (version) => {
    await using run = modal(platform, version, ["run", app("ends.py::main"), "--how", how, "--attempts", "1"]);
    const output = await run.finishWith(0);
    assert.match(output, /^answer 1$/m);
    assert.match(output, /^the next call answers 42$/m);
    assert.match(output, /^the same function answers 2$/m);
    assert.equal(attemptsIn(output), 2, output);
  });

  testEachClient(`an input whose process ${words} three times fails, and says so`, async (version) => {
    await using run = modal(platform, version, ["run", app("ends.py::main"), "--how", how, "--attempts", "100"]);
    const output = await run.finishWith(0);
    assert.match(output, new RegExp(`^RemoteError: .*3 containers .*${words}`, "m"));
    assert.match(output, /^the next call answers 42$/m);
    assert.match(output, /^the same function answers 3$/m, "neither is the function itself given up");
    assert.equal(attemptsIn(output), 4, output);
  });
}

testEachClient("`sys.exit` in a function reaches the caller as the exception that it is", async (version) => {
  await using run = modal(platform, version, ["run", app("ends.py::main"), "--how", "leave"]);
  const output = await run.finishWith(4);
  assert.equal(attemptsIn(output), 1, "it is an answer, so there is no second attempt");
});

testEachClient(
  "when containers only ever crash, all that wait fail",
  async (version) => {
    const callers = 8;
    const args = ["--how", "crash", "--callers", String(callers)];
    await using run = modal(platform, version, ["run", app("ends.py::crowd"), ...args]);
    const output = await run.finishWith(0);
    assert.equal(output.match(/^RemoteError: .*killed by SIGSEGV/gm)?.length, callers, output);
    assert.match(output, /^the next call answers 42$/m);
  },
  [newestClient],
);
