/** What functions ask for beside code: granted, told of, or refused; never ignored. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Platform, missingClient, modal, newestClient, platformOfFile, testEachClient } from "@lydian/testkit";

import { outside } from "../host/network/support.ts";
import { app } from "./stories.ts";
import { tellStories } from "./told-stories.ts";

const platform = await platformOfFile();

tellStories(platform, "wishes.py");

testEachClient("what has no meaning here, or is too much, is told of, and the function runs", async (version) => {
  await using run = modal(platform, version, ["run", `${app("wishes.py")}::much`]);
  const output = (await run.finishWith(0)).replaceAll(/[\s│]+/g, " ");
  assert.match(output, /answer 42/);
  for (const words of ["memory snapshots", "are not preempted", "eu-west", "1000 cores", "10000000 MiB of memory"]) {
    assert.ok(output.includes(words), run.describe(`does not tell of ${words}`));
  }
});

const skip = missingClient(newestClient);

test("`block_network` closes what is open to others", { skip: skip || platform.runtime !== "runc" }, async (t) => {
  const { address, port } = await outside(t);
  const args = ["--target", `${address}:${port}`];
  await using run = modal(platform, newestClient, ["run", `${app("wishes.py")}::network`, ...args]);
  assert.match(await run.finishWith(0), /^free open blocked closed$/m);
});

test("a worker's labels are where it is, and `--strict-resources` refuses what is too much", { skip }, async () => {
  await using strict = await Platform.start({ args: ["--label", "region=here", "--strict-resources"] });
  const asks = (...args: string[]): ReturnType<typeof modal> =>
    modal(strict, newestClient, ["run", `${app("wishes.py")}::place`, ...args]);
  await using here = asks("--region", "here");
  assert.match(await here.finishWith(0), /^answer 42 *$/m);
  await using elsewhere = asks("--region", "elsewhere");
  await elsewhere.finishWith(1);
  assert.match(elsewhere.output.replaceAll(/\s+/g, " "), /asks for region elsewhere, where no worker is\..*-\/here/);
  await using large = asks("--cores", "1000");
  await large.finishWith(1);
  assert.match(large.output.replaceAll(/\s+/g, " "), /asks for 1000 cores, and the largest worker has/);
});
