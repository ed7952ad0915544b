/** Dicts and queues of the stock clients: what code does with them, here and in containers, and what the commands do. */
import assert from "node:assert/strict";

import { modal, platformOfFile, python, testEachClient } from "@lydian/testkit";

import { tellStories } from "./told-stories.ts";

/** Small ones, so that the stories reach them soon. */
const limits = {
  dictEntryBytes: 2_000_000,
  queuePartitionItems: 50,
  queueItemBytes: 1_000_000,
  queuePutBytes: 3_000_000,
};

const platform = await platformOfFile({ args: ["--limits", JSON.stringify(limits)] });

tellStories(platform, "dicts.py");
tellStories(platform, "queues.py");

async function says(version: string, ...args: string[]): Promise<string> {
  await using run = modal(platform, version, args);
  return await run.finishWith(0);
}

async function refuses(version: string, words: RegExp, ...args: string[]): Promise<void> {
  await using run = modal(platform, version, args);
  const { code } = await run.finish(30_000);
  assert.notEqual(code, 0);
  assert.match(run.output.replaceAll(/[\s│]+/g, " "), words);
}

/** Fills what the commands then show. */
const fill = `
import sys, modal
name = sys.argv[1]
modal.Dict.from_name(name).update({"one": 1, "two": [2, {"deep": "x" * 100}], "three": None})
queue = modal.Queue.from_name(name)
queue.put_many(["first", "second", "third"])
queue.put_many([10, 11], partition="p")
`;

testEachClient("`modal dict` and `modal queue` create, show, clear, list and delete", async (version) => {
  const name = `command-${version}`;
  await refuses(version, /does not exist/, "dict", "get", name, "one");
  await Promise.all([says(version, "dict", "create", name), says(version, "queue", "create", name)]);
  await using filling = python(platform, version, ["-c", fill, name]);
  await filling.finishWith(0);
  const [got, items, table, peeked, part, length, total, dicts, queues] = await Promise.all([
    says(version, "dict", "get", name, "one"),
    says(version, "dict", "items", name, "--json"),
    says(version, "dict", "items", name, "2"),
    says(version, "queue", "peek", name, "2"),
    says(version, "queue", "peek", name, "9", "-p", "p"),
    says(version, "queue", "len", name),
    says(version, "queue", "len", name, "--total"),
    says(version, "dict", "list", "--json"),
    says(version, "queue", "list", "--json"),
  ]);
  assert.match(got, /^1$/m);
  assert.equal((JSON.parse(items) as unknown[]).length, 3);
  assert.match(table, /\.\.\./);
  assert.match(peeked, /^first\nsecond$/m);
  assert.match(part, /^10\n11$/m);
  assert.deepEqual([length.trim(), total.trim()], ["3", "5"]);
  assert.ok(dicts.includes(`"${name}"`));
  const own = (JSON.parse(queues) as Record<string, unknown>[]).find((row) => Object.values(row).includes(name));
  assert.deepEqual([own?.["Partitions"], own?.["Total size"]].map(Number), [2, 5]);

  await refuses(version, /irrevocably|--yes/, "dict", "clear", name);
  await Promise.all([
    says(version, "dict", "clear", "--yes", name),
    says(version, "queue", "clear", "--yes", name, "-p", "p"),
  ]);
  assert.equal((await says(version, "queue", "len", name, "--total")).trim(), "3");
  await says(version, "queue", "clear", "--yes", "--all", name);
  assert.deepEqual(JSON.parse(await says(version, "dict", "items", name, "--json")), []);
  await Promise.all([says(version, "dict", "delete", "--yes", name), says(version, "queue", "delete", "--yes", name)]);
  await refuses(version, /does not exist in environment "main"/, "queue", "delete", "--yes", name);
  await says(version, "dict", "delete", "--yes", "--allow-missing", name);
});
