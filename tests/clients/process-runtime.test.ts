/** The runtime without containers: the same calls, and a kill. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import {
  isRunning,
  missingClient,
  modal,
  newestClient,
  platformOfFile,
  runLydian,
  testEachClient,
} from "@lydian/testkit";

import { app, goOn, theFunction } from "./stories.ts";

const platform = await platformOfFile({ runtime: "process" });

test("it says that there is no isolation", () => {
  assert.match(platform.log, /Runtime "process": functions run on this machine with .* rights and without isolation/);
});

test(
  "a function that is a step of an image is refused by its name",
  { skip: missingClient(newestClient) },
  async () => {
    await using run = modal(platform, newestClient, ["run", app("called.py"), "--name", "x"]);
    await run.finishWith(1);
    assert.match(run.output, /the step "run_function wait" needs a root file system of its own/);
  },
);

testEachClient("images are virtual environments and files, and what they cannot be is refused", async (version) => {
  await using run = modal(platform, version, ["run", `${app("environments.py")}::app.main`]);
  const output = await run.finishWith(0, 120_000);
  assert.match(output, /^\('1\.16\.0', 'hello', '""".*"""', True\) \('1\.16\.0', '1\.0\.0', True\) True$/m);
  for (const [entrypoint, says] of [
    ["refused.apt", /the step "RUN apt-get install -y curl" needs a root file system of its own/],
    ["elsewhere.data", /the step "COPY \. \/" needs a root file system of its own for \/data/],
  ] as const) {
    await using other = modal(platform, version, ["run", `${app("environments.py")}::${entrypoint}`]);
    await other.finishWith(1, 60_000);
    assert.match(other.output, says);
  }
});

test("images that nothing needs go when they are collected", { skip: missingClient(newestClient) }, async () => {
  const environments = async (): Promise<string[]> =>
    (await readdir(join(platform.data, "worker", "environments"))).sort();
  const before = await environments();
  await using gc = runLydian(["gc", "--json", "--unused-for", "0s", "--data", platform.data]);
  await gc.finishWith(0, 60_000);
  const { workers } = JSON.parse(gc.stdout) as { workers: { imageIds?: string[]; bytes?: string }[] };
  const { imageIds = [], bytes } = workers[0] ?? {};
  assert.ok(imageIds.length > 0 && Number(bytes) > 1_000_000, gc.stdout);
  assert.deepEqual(
    await environments(),
    before.filter((id) => !imageIds.includes(id)),
  );
});

testEachClient("functions call each other, and values come back equal", async (version) => {
  for (const [file, says] of [
    ["parts.py", /^QUIET! QUIET! 5 \('QUIET!', 5, 'QUIET!'\)$/m],
    ["values.py::types", /^21 kinds of values came back equal$/m],
  ] as const) {
    await using run = modal(platform, version, ["run", app(file)]);
    assert.match(await run.finishWith(0), says);
  }
});

test(
  "the worker is killed, then the function: it goes on, and then another one gets the input",
  {
    skip: missingClient(newestClient),
  },
  async () => {
    await using run = modal(platform, newestClient, ["run", app("patience.py::main")]);
    await run.sees("it runs in");
    const first = theFunction(platform);
    const worker = await platform.kill("worker");
    await platform.replaced("worker", worker);
    assert.ok(isRunning(first));
    process.kill(first.pid, "SIGKILL");
    await run.sees(new RegExp(`it runs in (?!${first.containerId})ta-`));
    const second = theFunction(platform);
    await goOn(second);
    assert.match(await run.finishWith(0), new RegExp(`^answer from ${second.containerId}$`, "m"));
  },
);

test("a function with volumes is refused by name", { skip: missingClient(newestClient) }, async () => {
  await using run = modal(platform, newestClient, ["run", join(import.meta.dirname, "../faults/volume_kills.py")]);
  assert.notEqual((await run.finish(60_000)).code, 0);
  assert.match(run.output.replaceAll(/[\s│]+/g, " "), /runtime "process" cannot mount volumes.*--runtime runc/);
});
