/** Volumes of the stock clients: what the SDK and the commands do with them, and what containers see. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";

import {
  missingClient,
  modal,
  newestClient,
  Platform,
  platformOfFile,
  runLydian,
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

test(
  "`lydian volume` tells what was changed, and brings it back; `lydian gc` frees what was deleted",
  { skip: missingClient(newestClient) },
  async () => {
    await using own = await Platform.start({ runtime: "process", times: { contentKept: 1 } });
    const lydian = async (...args: string[]): Promise<string> => {
      await using run = runLydian([...args, "--data", own.data]);
      await run.finishWith(0);
      return run.stdout;
    };
    const client = async (...args: string[]): Promise<string> => {
      await using run = modal(own, newestClient, ["volume", ...args]);
      return await run.finishWith(0);
    };
    const file = join(folder.path, "weights");
    const put = async (text: string): Promise<void> => {
      await writeFile(file, text);
      await client("put", "--force", "past", file, "/weights");
    };
    await client("create", "past");
    await put("good");
    await put("spoilt");
    const [history, diff, json] = await Promise.all([
      lydian("volume", "history", "past"),
      lydian("volume", "diff", "past@1"),
      lydian("volume", "diff", "past@2", "past@1", "--json"),
    ]);
    assert.match(history, /COMMIT .*\n +2 .* now .*\n +1 .* kept /);
    assert.match(diff, /^changed +4 B +6 B +weights$/m);
    assert.equal((JSON.parse(json) as { changes: { after: { size: string } }[] }).changes[0]?.after.size, "4");
    assert.match(await lydian("volume", "restore", "past@1"), /commit 3 has written 1 path and removed 0/);
    const again: unknown = JSON.parse(await lydian("volume", "restore", "past@1", "--json"));
    assert.deepEqual(again, { commit: "0", written: 0, removed: 0 }); // it shows that already
    await using refused = runLydian(["volume", "restore", "past@9", "--data", own.data]);
    await refused.finishWith(1);
    assert.match(refused.output, /Volume "past" has no commit 9: its newest one is 3/);

    const content = join(own.data, "server", "content");
    const stored = async (): Promise<number> =>
      (await readdir(content, { recursive: true })).filter((path) => /^..\/[0-9a-f]{64}$/.test(path)).length;
    assert.equal(await stored(), 2);
    await client("delete", "--yes", "past");
    await lydian("gc");
    assert.match(await lydian("gc"), /2 stored files \(10 B\) went/);
    assert.equal(await stored(), 0);
  },
);

const skip = platform.runtime === "runc" ? missingClient(newestClient) : "containers cannot run here";

test("every commit that returned is there and none is torn, whoever is killed meanwhile", { skip }, async () => {
  await using own = await Platform.start({ runtime: "runc" });
  await volumeRun(own, 5, seededRandom(1));
});
