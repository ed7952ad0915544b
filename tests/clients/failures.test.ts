/** Functions that raise, cannot be imported, or answer what cannot travel: the error itself reaches the caller, soon. */
import assert from "node:assert/strict";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { modal, platformOfFile, temporaryFolder, testEachClient } from "@lydian/testkit";

import { app } from "./stories.ts";

const platform = await platformOfFile();

testEachClient("an exception is raised in the client as the type that it is", async (version) => {
  await using run = modal(platform, version, ["run", app("failures.py::caught")]);
  const output = await run.finishWith(0);
  assert.match(output, /^caught OutOfStock: tea, 0 left$/m);
  assert.match(output, /^and the next call is answered$/m);
});

testEachClient(
  "an exception that nobody catches ends the run with 1 and shows where it was raised",
  async (version) => {
    await using run = modal(platform, version, ["run", app("failures.py::uncaught")]);
    await run.finishWith(1);
    assert.match(run.stderr, /OutOfStock: \('tea', 0\)/);
    assert.match(run.stderr, /Remote call to Modal Function \(ta-\w+\)[^]*❱ \d+ .*raise OutOfStock\(item, left=0\)/);
    assert.match(run.stdout, /in pick\n\s+raise OutOfStock/, "the function's own log has the traceback, too");
  },
);

testEachClient("a result that cannot be pickled fails its call alone", async (version) => {
  await using run = modal(platform, version, ["run", app("failures.py::no_pickle")]);
  const output = await run.finishWith(0);
  assert.match(output, /^caught \w+: .*cannot pickle '_thread\.lock' object/m);
  assert.match(output, /^and the next call is answered$/m);
});

testEachClient("a function that takes longer than its timeout is ended", async (version) => {
  await using run = modal(platform, version, ["run", app("failures.py::timed_out")]);
  const output = await run.finishWith(0);
  assert.match(output, /^caught FunctionTimeoutError: /m);
  assert.match(output, /^and the next call is answered$/m);
  assert.deepEqual(platform.functions(), [], "nothing of it goes on");
});

testEachClient("an import that fails in the container ends the call with that error", async (version) => {
  await using run = modal(platform, version, ["run", app("broken_import.py")]);
  await run.finishWith(1); // long before a container that does not get ready is given up
  assert.match(run.stderr, /ModuleNotFoundError: No module named 'a_module_that_is_not_there'/);
});

testEachClient("so does a syntax error in a module that only the container imports", async (version) => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "broken_syntax.py");
  await copyFile(app("broken_syntax.py"), file);
  await writeFile(join(folder.path, "half_written.py"), "def half(\n");
  await using run = modal(platform, version, ["run", file]);
  await run.finishWith(1);
  assert.match(run.stderr, /SyntaxError: .*'\(' was never closed/);
});
