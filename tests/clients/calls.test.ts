/** Calling functions with `modal run`: locally, remotely, with arguments and results of all kinds and sizes. */
import assert from "node:assert/strict";
import { join } from "node:path";

import { modal, platformOfFile, testEachClient } from "@lydian/testkit";

import { app } from "./stories.ts";

const platform = await platformOfFile();

/** The client sends what is larger than this by blob; pickling adds a few bytes. */
const inlineLimit = 2 * 1024 * 1024;

testEachClient("the guide's first function answers", async (version) => {
  await using run = modal(platform, version, ["run", "examples/python/hello.py"]);
  const output = await run.finishWith(0);
  assert.match(output, /^Hello World!$/m);
  assert.match(output, /App completed/);
});

testEachClient("values of many types come back equal, by position and by keyword", async (version) => {
  await using run = modal(platform, version, ["run", app("values.py::types")]);
  assert.match(await run.finishWith(0), /^21 kinds of values came back equal$/m);
});

testEachClient("values go both ways up to the inline limit, and by blob above it", async (version) => {
  const sizes = [0, inlineLimit - 1000, inlineLimit, 5 * 1024 * 1024];
  await using run = modal(platform, version, ["run", app("values.py::sizes"), "--sizes", sizes.join(",")]);
  const output = await run.finishWith(0);
  for (const size of sizes) assert.match(output, new RegExp(`^${size} bytes went both ways$`, "m"));
});

testEachClient("several functions call each other and a module that lies beside them", async (version) => {
  await using run = modal(platform, version, ["run", app("parts.py"), "--text", "so"]);
  assert.match(await run.finishWith(0), /^SO! SO! 2 \('SO!', 2, 'SO!'\)$/m);
});

testEachClient(
  "`modal run file.py::function` calls one function with the arguments of the command line",
  async (version) => {
    await using run = modal(platform, version, ["run", app("parts.py::greet"), "--name", "Ada", "--times", "2"]);
    assert.match(await run.finishWith(0), /^Hello Ada! Hello Ada!$/m);
  },
);

testEachClient("`modal run -m` brings the whole package", async (version) => {
  const options = { cwd: join(import.meta.dirname, "apps") };
  await using run = modal(platform, version, ["run", "-m", "packaged.app"], options);
  assert.match(await run.finishWith(0), /^one and two$/m);
});

testEachClient("`modal run -q` prints nothing but the app's own lines", async (version) => {
  await using run = modal(platform, version, ["run", "-q", app("parts.py")]);
  assert.equal(await run.finishWith(0), "QUIET! QUIET! 5 ('QUIET!', 5, 'QUIET!')\n");
});
