/** Secrets of the stock clients: what functions get, what the commands do, and that nothing of them shows. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, test } from "node:test";

import {
  dotenv,
  Platform,
  missingClient,
  modal,
  newestClient,
  platformOfFile,
  type ProgramOptions,
  runLydian,
  temporaryFolder,
  testEachClient,
} from "@lydian/testkit";

import { app, goOn, theFunction } from "./stories.ts";
import { tellStories } from "./told-stories.ts";

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
await writeFile(join(folder.path, ".env-test"), 'FROM_FILE=a file\nQUOTED="two words"\n');

const platform = await platformOfFile();

const env = { DOTENV_FOLDER: folder.path, PYTHONPATH: dotenv.path };

tellStories(platform, "with_secrets.py", { env });

async function says(version: string, args: readonly string[], options: ProgramOptions = {}): Promise<string> {
  await using run = modal(platform, version, args, { env, ...options });
  return await run.finishWith(0);
}

async function refuses(version: string, args: readonly string[], words: RegExp): Promise<void> {
  await using run = modal(platform, version, args, { env });
  const { code } = await run.finish(30_000);
  assert.notEqual(code, 0);
  assert.match(run.output.replaceAll(/[\s│]+/g, " "), words);
}

/** What a function sees of a secret. */
async function seen(version: string, secret: string, ...keys: string[]): Promise<string[]> {
  const run = ["run", "-q", `${app("sees_secret.py")}::main`, "--keys", keys.join(",")];
  const output = await says(version, run, { env: { ...env, SECRET: secret } });
  return JSON.parse(/^seen (.*)$/m.exec(output)?.[1] ?? "[]") as string[];
}

testEachClient("`modal secret` creates, replaces, lists and deletes", async (version) => {
  const name = `command-${version}`;
  const list = async (): Promise<Record<string, unknown>[]> =>
    JSON.parse(await says(version, ["secret", "list", "--json"])) as Record<string, unknown>[];
  const own = async (): Promise<Record<string, unknown> | undefined> =>
    (await list()).find((each) => Object.values(each).includes(name));
  assert.match(await says(version, ["secret", "create", name, "A=one", "B=with = and spaces"]), /'A', 'B'/);
  await refuses(version, ["secret", "create", name, "A=two"], /exists already.*--force/);
  assert.deepEqual(await seen(version, name, "A", "B"), ["one", "with = and spaces"]);

  const json = join(folder.path, `${version}.json`);
  await writeFile(json, JSON.stringify({ FROM_JSON: "yes", A: "json" }));
  const files = ["--from-dotenv", join(folder.path, ".env-test"), "--from-json", json];
  await says(version, ["secret", "create", "--force", "--env", "main", name, "A=given", ...files]);
  assert.deepEqual(await seen(version, name, "A", "B", "FROM_JSON", "QUOTED"), ["json", null, "yes", "two words"]);
  await refuses(version, ["secret", "create", "--env", "nowhere", "x", "A=1"], /Environment "nowhere" does not exist/);
  await refuses(version, ["secret", "create", "no name", "A=1"], /Invalid Secret name/);

  const listed = await own();
  assert.ok(listed);
  assert.doesNotMatch(JSON.stringify(listed), /"-"/, "it was used");
  await refuses(version, ["secret", "delete", name], /irrevocably|--yes/);
  await says(version, ["secret", "delete", "--yes", name]);
  assert.equal(await own(), undefined);
  await refuses(version, ["secret", "delete", "--yes", name], /does not exist in environment "main"/);
  await says(version, ["secret", "delete", "--yes", "--allow-missing", name]);
});

const skip = missingClient(newestClient);

test("the key is rotated, and secrets are what they were", { skip }, async () => {
  await says(newestClient, ["secret", "create", "kept", "A=before"]);
  const key = (): string => readFileSync(join(platform.data, "server", "secrets-key"), "utf8");
  const before = key();
  await using rotate = runLydian(["secret", "rotate-key", "--data", platform.data]);
  assert.match(await rotate.finishWith(0), /^\d+ secrets? (?:is|are) under key [0-9a-f]{12} now\.$/m);
  assert.notEqual(key(), before);
  assert.deepEqual(await seen(newestClient, "kept", "A"), ["before"]);
});

const canary = `canary-${"c0ffee".repeat(4)}`;

for (const runtime of new Set([platform.runtime, "process"] as const)) {
  test(`a value shows nowhere but in its container (${runtime})`, { skip }, async () => {
    await using own = await Platform.start({ runtime, args: ["--log-level", "debug"] });
    const json = join(folder.path, "canary.json");
    await writeFile(json, JSON.stringify({ CANARY: canary }));
    await using create = modal(own, newestClient, ["secret", "create", "canary", "--from-json", json]);
    await create.finishWith(0);
    await using run = modal(own, newestClient, ["run", `${app("sees_secret.py")}::waits`], {
      env: { SECRET: "canary" },
    });
    await run.sees(/^it waits$/m, 60_000);
    const waiting = theFunction(own);
    assert.equal(waiting.environment.get("CANARY"), canary);
    assertHidden(own, runtime === "runc" ? 2 : 0);
    await goOn(waiting);
    await run.finishWith(0);
    assert.equal(run.output.includes(canary), false);
    assertHidden(own, 0);
  });
}

/** In all that the platform has on disk, has said, and has on command lines, but for so many containers' configurations. */
function assertHidden(platform: Platform, configurations: number): void {
  assert.equal(platform.log.includes(canary), false, "the processes' logs");
  const lines = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const shown = lines.filter((pid) => commandLine(pid).includes(canary));
  assert.deepEqual(shown, [], "command lines");
  const run = `/run/lydian/${platform.names.instance}/c`;
  const files = [platform.data, run].flatMap(filesBelow);
  assert.ok(files.some((file) => file.endsWith("store.sqlite-wal")));
  const holding = files.filter((file) => !isGone(file) && readFileSync(file).includes(canary));
  assert.equal(holding.length, configurations, holding.join(", "));
  for (const file of holding) {
    assert.match(file, /\/(?:config|process)\.json$/);
    assert.ok(file.startsWith(run), `${file} is not in memory`);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const closed = ancestors(file).some((path) => statSync(path).uid === 0 && (statSync(path).mode & 0o077) === 0);
    assert.ok(closed, `${file} is below a folder of root's alone`);
  }
}

/** But for containers' root file systems, which are their own affair. */
function filesBelow(path: string): string[] {
  if (isGone(path)) return [];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const below = join(path, entry.name);
    if (entry.isDirectory()) return entry.name === "root" ? [] : filesBelow(below);
    return entry.isFile() ? [below] : [];
  });
}

function ancestors(file: string): string[] {
  const path = dirname(file);
  return path === "/" ? [] : [path, ...ancestors(path)];
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // it has ended
  }
}

/** Files come and go beside the test. */
function isGone(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) === undefined;
}
