/** Images that nothing needs any more go when they are collected, and are made again when they are asked for after all. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";

import { missingClient, modal, newestClient, platformOfFile, runLydian, usualRuntime } from "@lydian/testkit";

import { app } from "./stories.ts";

const skip = usualRuntime === "runc" ? missingClient(newestClient) : "there are no images here";

/** What platforms of this host share, as names of the same files: nothing of theirs is to go, and nothing is made anew. */
async function ownCache(): Promise<string> {
  const shared = process.env["LYDIAN_CACHE"] ?? "/var/cache/lydian";
  const own = `${shared}-of-test-${process.pid}`; // beside it, for it has to be on the same disk
  after(() => rm(own, { recursive: true, force: true }));
  for (const folder of [".", "images", "images/layers"]) {
    await mkdir(join(own, folder), { recursive: true, mode: 0o700 });
    const names = await readdir(join(shared, folder)).catch(() => []); // the first run on this host
    const isWhole = (name: string): boolean => !name.startsWith(".") && !["images", "layers"].includes(name);
    const sources = names.filter(isWhole).map((name) => join(shared, folder, name));
    if (sources.length > 0) await promisify(execFile)("cp", ["-al", "-t", join(own, folder), ...sources]);
  }
  for (const name of await readdir(join(own, "images", "layers"))) {
    const holders = join(own, "images", "layers", name, "holders");
    for (const holder of await readdir(holders)) await rm(join(holders, holder));
  }
  return own;
}

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
