/** Images that nothing needs any more go when they are collected, and are made again when they are asked for after all. */
import assert from "node:assert/strict";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { missingClient, modal, newestClient, platformOfFile, runLydian, usualRuntime } from "@lydian/testkit";

import { ownCache } from "../faults/own-cache.ts";
import { app } from "../clients/stories.ts";

const skip = usualRuntime === "runc" ? missingClient(newestClient) : "there are no images here";

if (skip === false) process.env["LYDIAN_CACHE"] = await ownCache();
const platform = skip === false ? await platformOfFile() : undefined;

interface Garbage {
  workers: { imageIds?: string[]; layers?: number; bytes?: string; leftBytes: string; error?: string }[];
}

test("what a deployed app needs stays, what nothing needs goes and is made again", { skip }, async () => {
  assert.ok(platform);
  const run = async (...args: string[]): Promise<string> => {
    await using program = modal(platform, newestClient, args);
    return await program.finishWith(0, 120_000);
  };
  const gc = async (...args: string[]): Promise<Garbage["workers"][number]> => {
    await using program = runLydian(["gc", "--json", "--data", platform.data, ...args]);
    await program.finishWith(0, 60_000);
    const { workers } = JSON.parse(program.stdout) as Garbage;
    return workers[0] ?? assert.fail("no worker has answered");
  };
  const records = async (): Promise<string[]> => await readdir(join(platform.data, "worker", "images"));
  const unneeded = app("unneeded.py");
  await run("deploy", `${unneeded}::kept`);
  assert.match(await run("run", `${unneeded}::passing.main`), /=> Step[^]*^passing: passing$/m);
  assert.deepEqual((await gc()).imageIds ?? [], [], "two weeks are not over");

  const before = await records();
  const dry = await gc("--unused-for", "0s", "--dry-run");
  assert.deepEqual(await records(), before);
  const { imageIds = [], bytes, leftBytes } = await gc("--unused-for", "0s");
  assert.deepEqual(imageIds, dry.imageIds);
  assert.ok(Number(bytes) >= 4_000_000 && Number(bytes) === Number(dry.bytes), `${bytes} bytes, ${dry.bytes}`);
  assert.ok(Number(leftBytes) >= 4_000_000);
  assert.deepEqual(
    await records(),
    before.filter((name) => !imageIds.includes(name.replace(".json", ""))),
  );

  assert.match(await run("run", `${unneeded}::asking.ask`), /^kept: kept$/m);
  assert.match(await run("run", `${unneeded}::passing.main`), /=> Step[^]*^passing: passing$/m);

  // A layer of the image is lost while the worker is at work, and nobody has noticed.
  const [lost = ""] = (await records()).filter(
    (name) => !before.includes(name) || imageIds.includes(name.slice(0, -5)),
  );
  const { layers } = JSON.parse(await readFile(join(platform.data, "worker", "images", lost), "utf8")) as {
    layers: string[];
  };
  const [top = ""] = layers;
  await rm(join(process.env["LYDIAN_CACHE"] ?? "", "images", "layers", top), { recursive: true });
  assert.match(await run("run", `${unneeded}::passing.main`), /^passing: passing$/m);
});
