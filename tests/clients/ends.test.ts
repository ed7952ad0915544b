/** Functions whose process ends in the middle of an input: the input is given to another, but not for ever. */
import assert from "node:assert/strict";

import { modal, newestClient, platformOfFile, testEachClient } from "@lydian/testkit";

import { Scratch, app } from "./scratch.ts";

const platform = await platformOfFile();

/** Three containers in a row have to start and die. */
const givesUpWithinMs = 15_000;

const ends = { exit: "exited with code 3", kill: "was killed by SIGKILL" } as const;

for (const [how, words] of Object.entries(ends)) {
  testEachClient(`a process that ${words} is started anew, and its input is answered`, async (version) => {
    await using scratch = await Scratch.make();
    const args = ["--folder", scratch.path, "--how", how, "--attempts", "1"];
    await using run = modal(platform, version, ["run", app("ends.py::main"), ...args]);
    const output = await run.finishWith(0);
    assert.match(output, /^answer 1$/m);
    assert.match(output, /^the next call answers 42$/m);
    assert.match(output, /^the same function answers 2$/m);
  });

  testEachClient(`an input whose process ${words} three times fails, and says so`, async (version) => {
    await using scratch = await Scratch.make();
    const args = ["--folder", scratch.path, "--how", how, "--attempts", "100"];
    await using run = modal(platform, version, ["run", app("ends.py::main"), ...args]);
    await run.sees("RemoteError: ", givesUpWithinMs);
    const output = await run.finishWith(0);
    assert.match(output, new RegExp(`^RemoteError: .*3 containers .*${words}`, "m"));
    assert.match(output, /^the next call answers 42$/m);
    assert.match(output, /^the same function answers 3$/m, "neither is the function itself given up");
    assert.equal((await scratch.names()).length, 4);
  });
}

testEachClient("`sys.exit` in a function reaches the caller as the exception that it is", async (version) => {
  await using scratch = await Scratch.make();
  const args = ["--folder", scratch.path, "--how", "leave"];
  await using run = modal(platform, version, ["run", app("ends.py::main"), ...args]);
  await run.finishWith(4);
  assert.equal((await scratch.names()).length, 1, "it is an answer, so there is no second attempt");
});

testEachClient(
  "when containers only ever crash, all that wait fail",
  async (version) => {
    await using scratch = await Scratch.make();
    const calls = 8;
    const args = ["--folder", scratch.path, "--how", "kill", "--calls", String(calls)];
    await using run = modal(platform, version, ["run", app("ends.py::crowd"), ...args]);
    const output = await run.finishWith(0, givesUpWithinMs + 5_000);
    assert.equal(output.match(/^RemoteError: .*killed by SIGKILL/gm)?.length, calls, output);
    assert.match(output, /^the next call answers 42$/m);
  },
  [newestClient],
);
