/** What functions ask for beside code: granted, told of, or refused; never ignored. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import {
  Platform,
  type Program,
  missingClient,
  modal,
  newestClient,
  platformOfFile,
  temporaryFolder,
  testEachClient,
} from "@lydian/testkit";

import { outside } from "../host/network/support.ts";
import { app, goOn } from "./stories.ts";
import { tellStories } from "./told-stories.ts";

const platform = await platformOfFile();

tellStories(platform, "wishes.py");

testEachClient("what has no meaning here, or is too much, is told of, and the function runs", async (version) => {
  await using run = modal(platform, version, ["run", `${app("wishes.py")}::much`]);
  const output = (await run.finishWith(0)).replaceAll(/[\s│]+/g, " ");
  assert.match(output, /answer 42/);
  for (const words of [
    "memory snapshots",
    "are not preempted",
    "eu-west, gcp",
    "1000 cores",
    "10000000 MiB of memory",
    "a proxy",
    "a private network between containers",
    "experimental options",
  ]) {
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

testEachClient(
  "a limit of processor time holds",
  async (version) => {
    await using run = modal(platform, version, ["run", `${app("wishes.py")}::limited`]);
    assert.match(await run.finishWith(0), /^held to its limit$/m);
  },
  platform.runtime === "runc" ? [newestClient] : [],
);

describe("on a machine with labels and ceilings", { skip }, () => {
  let own: Platform;
  before(async () => {
    const labels = ["region=here", "cloud=own"].flatMap((label) => ["--label", label]);
    own = await Platform.start({ args: [...labels, "--strict-resources", "--limits", '{"appContainers":3}'] });
  });
  after(() => own[Symbol.asyncDispose]());

  /** The functions of the app take this part of the machine's processors each. */
  const asks = (entry: string, args: string[] = [], part = 0.05): Program => {
    const env = { CORES: String(part * availableParallelism()) };
    return modal(own, newestClient, ["run", `${app("wishes.py")}::${entry}`, ...args], { env });
  };

  test("a function runs where it asks to, and is refused where no worker is", async () => {
    for (const place of [
      ["--region", "here"],
      ["--cloud", "own"],
      ["--cloud", "auto"],
    ]) {
      await using run = asks("place", place);
      assert.match(await run.finishWith(0), /^answer 42 *$/m);
    }
    await using elsewhere = asks("place", ["--region", "elsewhere", "--cloud", "aws"]);
    await elsewhere.finishWith(1);
    const output = elsewhere.output.replaceAll(/\s+/g, " ");
    assert.match(output, /asks for region elsewhere, cloud aws, where no worker is\..*own\/here/);
  });

  test("`--strict-resources` refuses what is too much, in a variant, too", async () => {
    await using run = asks("strict");
    assert.match(await run.finishWith(0), /^refused$/m);
  });

  test("an app has no more containers than it may; what is too much waits, and its log says so", async () => {
    await using run = asks("many", ["--inputs", "6"]);
    await run.sees(/^Inputs wait: the app has 3 containers, the most that it may have here at a time\.$/m, 60_000);
    await run.sees(/(?:^it runs in ta-\w+$[^]*){3}/m);
    const all = own.functions();
    assert.equal(all.length, 3, run.output);
    for (const each of [...all, ...all]) await goOn(each);
    assert.match(await run.finishWith(0), /^answers \[0, 1, 2, 3, 4, 5\]$/m);
  });

  test("what no worker has room for waits, and its app's log says what it needs", async () => {
    await using run = asks("crowded", [], 1);
    await run.sees(/^Inputs wait for a container that needs .* cores, .*: no worker has that free now\.$/m, 60_000);
    const both = own.functions();
    assert.equal(both.length, 2);
    for (const each of both) await goOn(each);
    assert.match(await run.finishWith(0), /^answers 0 1 42$/m);
  });

  test("containers that wait for another function's answers do not keep it from having one", async () => {
    await using run = asks("nested", [], 0.4);
    assert.match(await run.finishWith(0), /^answers \[0, 1, 2, 3\]$/m);
  });

  test("an app that has work for all of the machine leaves room for another app's first container", async () => {
    await using folder = await temporaryFolder();
    const stop = join(folder.path, "stop");
    await using flood = asks("flood", ["--stop", stop], 0.3);
    await flood.sees(/^containers: 3$/m, 60_000);
    await using one = asks("one", [], 0.6);
    assert.match(await one.finishWith(0), /^answer 42$/m);
    await writeFile(stop, "");
    await flood.finishWith(0);
  });
});
