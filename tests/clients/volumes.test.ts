/** Volumes of the stock clients: what the SDK and the commands do with them, and what containers see. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";

import {
  missingClient,
  modal,
  newestClient,
  Platform,
  platformOfFile,
  seededRandom,
  temporaryFolder,
} from "@lydian/testkit";

import { volumeRun } from "../faults/volume-run.ts";
import { tellStories } from "./told-stories.ts";

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

const platform = await platformOfFile();

tellStories(platform, "volumes.py");

async function says(version: string, ...args: string[]): Promise<string> {
  await using run = modal(platform, version, ["volume", ...args]);
  return await run.finishWith(0);
}

async function refuses(version: string, args: readonly string[], words: RegExp): Promise<void> {
  await using run = modal(platform, version, ["volume", ...args]);
  const { code } = await run.finish(30_000);
  assert.notEqual(code, 0);
  assert.match(run.output.replaceAll(/[\s│]+/g, " "), words);
}

test(
  "`modal volume` makes, fills, shows, changes, renames and deletes",
  { skip: missingClient(newestClient) },
  async () => {
    const version = newestClient;
    const own = join(folder.path, version);
    const name = `command-${version}`;
    const lines = (output: string): string[] => output.trim().split("\n").toSorted();
    await mkdir(join(own, "folder", "deep"), { recursive: true });
    await writeFile(join(own, "folder", "deep", "a.txt"), "a");
    await writeFile(join(own, "folder", "b.txt"), "b");
    await says(version, "create", name, "--version", "2");
    await says(version, "put", name, join(own, "folder"), "/");
    const [listed, shown] = await Promise.all([
      says(version, "list", "--json"),
      says(version, "ls", name, "folder"),
      says(version, "cp", "-r", name, "folder", "copy"),
      refuses(version, ["create", name], /exists already/),
      refuses(version, ["put", name, join(own, "folder", "b.txt"), "/folder/"], /folder\/b\.txt: there is a file/),
    ]);
    assert.match(listed, new RegExp(name));
    assert.deepEqual(lines(shown), ["folder/b.txt", "folder/deep"]);
    const [, printed] = await Promise.all([
      says(version, "get", name, "copy", own),
      says(version, "get", name, "folder/b.txt", "-"),
      says(version, "rm", name, "folder/deep/a.txt"),
      refuses(version, ["rm", name, "copy"], /copy is a folder .* -r/),
      refuses(version, ["get", name, "nothing", own], /nothing: there is no such file/),
    ]);
    assert.equal(await readFile(join(own, "copy", "deep", "a.txt"), "utf8"), "a");
    assert.match(printed, /^b/);
    await says(version, "rm", "-r", name, "copy");
    assert.deepEqual(lines(await says(version, "ls", name)), ["folder"]);
    await says(version, "rename", "--yes", name, `${name}-new`);
    await Promise.all([
      refuses(version, ["ls", name], /does not exist in environment "main"/),
      says(version, "delete", "--yes", `${name}-new`),
    ]);
  },
);

const skip = platform.runtime === "runc" ? missingClient(newestClient) : "containers cannot run here";

test("every commit that returned is there and none is torn, whoever is killed meanwhile", { skip }, async () => {
  await using own = await Platform.start({ runtime: "runc" });
  await volumeRun(own, 5, seededRandom(1));
});
