/** `lydian` without any other client: what is kept under names, apps and their versions, containers. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import {
  platformOfFile,
  type Program,
  Program as Run,
  repositoryRoot,
  runLydian,
  temporaryFolder,
} from "@lydian/testkit";

const platform = await platformOfFile();
const folder = "tests/clients/apps/typescript";

async function ends(run: Program, code = 0): Promise<string> {
  await using program = run;
  await program.finishWith(code);
  return code === 0 ? program.stdout : program.output;
}

const lydian = (...args: string[]): Promise<string> => ends(runLydian(args, platform.env));
const refused = (...args: string[]): Promise<string> => ends(runLydian(args, platform.env), 1);

/** What it says to programs. */
async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse(await lydian(...args, "--json")) as T;
}

interface Named {
  name: string;
}
const names = async (noun: string): Promise<string[]> => (await json<Named[]>(noun, "list")).map(({ name }) => name);

test("secrets are made of pairs, files and stdin, and what is in them is a function's environment", async () => {
  await using work = await temporaryFolder();
  await writeFile(join(work.path, ".env"), 'FROM_FILE="a b"\nTWICE=file\n');
  const made = ["secret", "create", "things", "TWICE=line", "PIPED=-", "--from-dotenv", join(work.path, ".env")];
  const command = ["--conditions=lydian-source", "packages/cli/src/main.ts", ...made];
  const at = { cwd: repositoryRoot, env: platform.env, input: "from stdin\n" };
  assert.match(await ends(new Run(process.execPath, command, at)), /things is there, with FROM_FILE, TWICE, PIPED/);
  const seen = await lydian("run", "-q", `${folder}/secret.ts::seen`, "FROM_FILE", "TWICE", "PIPED");
  assert.match(seen, /'a b', 'line', 'from stdin'/);
  assert.match(await refused("secret", "create", "things", "A=1"), /exists already/);
  await lydian("secret", "create", "things", "A=1", "--force");
  assert.deepEqual(await names("secret"), ["things"]);
  await lydian("secret", "delete", "things", "--yes");
  assert.deepEqual(await names("secret"), []);
  assert.match(await refused("secret", "delete", "things", "--yes"), /things/);
});

test("volumes are filled, listed, read and emptied", async () => {
  await using work = await temporaryFolder();
  const here = join(work.path, "tree");
  await mkdir(join(here, "deep"), { recursive: true });
  await writeFile(join(here, "a.txt"), "a");
  await writeFile(join(here, "deep", "b.txt"), "b");
  await lydian("volume", "create", "files");
  assert.match(await refused("volume", "create", "files"), /files/);
  await lydian("volume", "put", "files", here, "/");
  assert.match(
    await refused("volume", "put", "files", join(here, "a.txt"), "/tree/"),
    /there is a file with this name/,
  );
  const paths = (await json<{ path: string }[]>("volume", "ls", "files", "-r")).map(({ path }) => path);
  assert.deepEqual(paths.toSorted(), ["tree", "tree/a.txt", "tree/deep", "tree/deep/b.txt"]);
  assert.equal(await lydian("volume", "get", "files", "/tree/deep/b.txt", "-"), "b");
  await lydian("volume", "get", "files", "/tree", join(work.path, "back"));
  assert.equal(await readFile(join(work.path, "back", "deep", "b.txt"), "utf8"), "b");
  assert.match(await refused("volume", "get", "files", "/tree", work.path), /is there already/);
  await lydian("volume", "rm", "files", "/tree", "-r");
  assert.deepEqual(await json("volume", "ls", "files"), []);
  await lydian("volume", "delete", "files", "--yes");
  assert.deepEqual(await names("volume"), []);
});

test("dicts and queues are looked into", async () => {
  await lydian("dict", "create", "prices");
  await lydian("queue", "create", "line");
  await lydian("run", "-q", `${folder}/named.ts::fill`);
  assert.deepEqual(await json("dict", "get", "prices", "widget"), { price: 3 });
  assert.equal(await json("dict", "get", "prices", "7"), "a number's");
  assert.match(await refused("dict", "get", "prices", "other"), /has no key "other"/);
  const items = (await lydian("dict", "items", "prices", "--json")).trim().split("\n").toSorted();
  assert.deepEqual(items, ['["widget",{"price":3}]', '[7,"a number\'s"]']);
  assert.equal(await lydian("queue", "peek", "line", "--json", "--limit", "2"), "1\n2\n");
  assert.deepEqual(await json("queue", "len", "line"), { name: "line", len: 3 });
  const [row] = await json<{ items: number }[]>("queue", "list");
  assert.equal(row?.items, 3);
  await lydian("queue", "clear", "line", "--yes");
  await lydian("dict", "clear", "prices", "--yes");
  assert.equal(await lydian("queue", "len", "line"), "0\n");
  assert.equal(await lydian("dict", "items", "prices"), "");
  await lydian("queue", "delete", "line", "--yes");
  await lydian("dict", "delete", "prices", "--yes");
  assert.deepEqual([...(await names("queue")), ...(await names("dict"))], []);
});

test("proxy tokens are made, listed and taken away", async () => {
  const made = await json<Record<string, string>>("proxy-token", "create", "shop");
  assert.match(made["Modal-Secret"] ?? "", /^ws-/);
  const id = made["Modal-Key"] ?? "";
  assert.match(await lydian("proxy-token", "list"), new RegExp(`^shop .* ${id}$`, "m"));
  await lydian("proxy-token", "delete", id, "--yes");
  assert.deepEqual(await names("proxy-token"), []);
  assert.match(await refused("proxy-token", "delete", id, "--yes"), /lydian proxy-token list/);
});

test("environments keep names apart", async () => {
  await lydian("environment", "create", "staging");
  await lydian("dict", "create", "there", "--env", "staging");
  assert.deepEqual(await names("dict"), []);
  assert.deepEqual(
    (await json<Named[]>("dict", "list", "--env", "staging")).map(({ name }) => name),
    ["there"],
  );
  await lydian("environment", "update", "staging", "--name", "testing");
  assert.deepEqual((await names("environment")).toSorted(), ["main", "testing"]);
  await lydian("environment", "delete", "testing", "--yes");
  assert.deepEqual(await names("environment"), ["main"]);
});

test("an app that ran and has stopped is found by its name, the last of several", async () => {
  await using work = await temporaryFolder();
  const file = join(work.path, "etl.ts");
  const runs = async (word: string): Promise<void> => {
    await writeFile(
      file,
      `import { App } from "lydian";\nexport const load = new App("etl").function(() => console.log("${word}"));\n`,
    );
    await lydian("run", "-q", file);
  };
  for (const word of ["first", "second"]) await runs(word);
  assert.match(await lydian("logs", "etl"), /^second$/m);
  assert.equal(await lydian("stop", "etl", "--yes"), "etl had stopped already.\n");
  assert.match(await refused("logs", "elt"), /there is no app "elt"\nHint: `lydian app list --all` shows them/);
});

test("a deployed app has versions, and goes back to one; its container is listed, and ended", async () => {
  await using work = await temporaryFolder();
  const file = join(work.path, "versions.ts");
  const deploy = async (word: string): Promise<void> => {
    const code = `import { App } from "lydian";\nexport const word = new App("versions").function(() => "${word}");\n`;
    await writeFile(file, code);
    await lydian("deploy", "-q", file);
  };
  await deploy("one");
  await deploy("two");
  assert.match(await lydian("run", "-q", `${folder}/named.ts::deployed`), /^two$/m);
  const [container] = (await json<{ id: string; app: string }[]>("container", "list")).filter(
    ({ app }) => app === "versions",
  );
  assert.match(container?.id ?? "", /^ta-/);
  await lydian("container", "stop", container?.id ?? "", "--yes");
  assert.match(await lydian("app", "rollback", "versions"), /what it was in v1, as v3/);
  assert.match(await lydian("run", "-q", `${folder}/named.ts::deployed`), /^one$/m);
  const versions = await json<{ version: number; rollbackOf: number | null }[]>("app", "history", "versions");
  assert.deepEqual(
    versions.map(({ version, rollbackOf }) => [version, rollbackOf]),
    [
      [3, 1],
      [2, null],
      [1, null],
    ],
  );
  const app = (await json<{ name: string; state: string }[]>("app", "list")).find(({ name }) => name === "versions");
  assert.equal(app?.state, "deployed");
  await lydian("stop", "versions", "--yes");
  assert.match(await refused("app", "rollback", "versions"), /there is no deployed app "versions"/);
});
