/** Backups of a platform that runs, and platforms that are made of them. */
import assert from "node:assert/strict";
import { appendFile, chmod, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { missingClient, modal, newestClient, Platform, runLydian, temporaryFolder } from "@lydian/testkit";

const skip = missingClient(newestClient);

test("a platform that runs is copied, and what is made of the copy has all, but no keys", { skip }, async () => {
  await using folder = await temporaryFolder();
  await chmod(folder.path, 0o755); // the server's user passes through it
  await using first = await Platform.start({ runtime: "process" });
  const client = async (platform: Platform, ...args: string[]): Promise<string> => {
    await using run = modal(platform, newestClient, args);
    return await run.finishWith(0);
  };
  const lydian = async (code: number, ...args: string[]): Promise<string> => {
    await using run = runLydian(args, { LYDIAN_CACHE: join(folder.path, "cache") }); // no layers: to read them takes long
    await run.finishWith(code);
    return run.output;
  };
  const file = join(folder.path, "weights");
  await writeFile(file, "what was learnt");
  await client(first, "volume", "create", "models");
  await client(first, "volume", "put", "models", file, "/weights");
  const [archive, copy] = [join(folder.path, "one.tar"), join(folder.path, "copy")];
  const [said] = await Promise.all([
    lydian(0, "backup", archive, "--data", first.data),
    lydian(0, "backup", copy, "--data", first.data, "--with-keys"),
  ]);
  assert.match(said, /one\.tar has \d+ files \(.*\) as of .*\nThe platform's keys are not in it/);
  assert.deepEqual((await readdir(copy)).toSorted(), ["backup.json", "profile.toml", "server"]);
  await client(first, "volume", "rm", "models", "weights"); // later than the backups

  const restored = join(folder.path, "restored");
  assert.match(await lydian(0, "restore", archive, "--data", restored), /put the key of that time into .*secrets-key/);
  assert.match(await lydian(1, "restore", archive, "--data", restored), /there is a platform in/);
  {
    await using second = await Platform.start({ runtime: "process", data: restored });
    assert.match(await client(second, "volume", "get", "models", "weights", "-"), /^what was learnt/);
  }
  const deep = ["doctor", "--deep", "--runtime", "process", "--port", "0", "--data", restored];
  assert.match(await lydian(0, ...deep), /ok +Content +\d+ stored files? (?:is|are) what their names say \(/);
  const [stored = ""] = (await readdir(join(restored, "server", "content"), { recursive: true })).filter((path) =>
    /^..\/[0-9a-f]{64}$/.test(path),
  );
  await appendFile(join(restored, "server", "content", stored), "!");
  assert.match(await lydian(1, ...deep), /missing +Content \w{12} +it is not what its name says; something needs it/);

  await rm(join(copy, "server", "content", stored));
  const broken = join(folder.path, "broken");
  assert.match(await lydian(1, "restore", copy, "--data", broken), /not a whole backup.*\n.*nothing was restored/);
});
