/** Dicts and queues of the stock clients: what code does with them, here and in containers, and what the commands do. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Platform, missingClient, newestClient, platformOfFile, seededRandom, testEachClient } from "@lydian/testkit";

import { stateRun } from "../faults/state-run.ts";
import { runCommands } from "./stories.ts";
import { tellStories } from "./told-stories.ts";

/** Small ones, so that the stories reach them soon. */
const limits = {
  dictEntryBytes: 2_000_000,
  queuePartitionItems: 50,
  queueItemBytes: 1_000_000,
  queuePutBytes: 3_000_000,
};

const platform = await platformOfFile({ args: ["--limits", JSON.stringify(limits)] });

tellStories(platform, "state.py", {}, ["dicts.py", "queues.py"]);

/** Fills what the commands then show. */
const fill = (name: string): string => `
import modal
modal.Dict.from_name("${name}").update({"one": 1, "two": [2, {"deep": "x" * 100}], "three": None})
queue = modal.Queue.from_name("${name}")
queue.put_many(["first", "second", "third"])
queue.put_many([10, 11], partition="p")
`;

testEachClient("`modal dict` and `modal queue` create, show, clear, list and delete", async (version) => {
  const name = `command-${version}`;
  const does: Record<string, string[]> = {
    missing: ["dict", "get", name, "one"],
    created: ["dict", "create", name],
    "created again": ["dict", "create", name],
    "queue created": ["queue", "create", name],
    filled: ["-c", fill(name)],
    got: ["dict", "get", name, "one"],
    items: ["dict", "items", name, "--json"],
    some: ["dict", "items", name, "2"],
    peeked: ["queue", "peek", name, "2"],
    "peeked at p": ["queue", "peek", name, "9", "-p", "p"],
    length: ["queue", "len", name],
    total: ["queue", "len", name, "--total"],
    dicts: ["dict", "list", "--json"],
    queues: ["queue", "list", "--json"],
    unsure: ["dict", "clear", name],
    cleared: ["dict", "clear", "--yes", name],
    nothing: ["dict", "items", name, "--json"],
    "p cleared": ["queue", "clear", "--yes", name, "-p", "p"],
    "left of all": ["queue", "len", name, "--total"],
    "all cleared": ["queue", "clear", "--yes", "--all", name],
    "nothing of all": ["queue", "len", name, "--total"],
    "dict deleted": ["dict", "delete", "--yes", name],
    "queue deleted": ["queue", "delete", "--yes", name],
    "dict missing": ["dict", "delete", "--yes", "--allow-missing", name],
    "queue missing": ["queue", "delete", "--yes", name],
  };
  const ends = await runCommands(platform, version, Object.values(does));
  const said = Object.fromEntries(Object.keys(does).map((what, index) => [what, ends[index]?.[1] ?? ""]));
  const refused = Object.keys(does).filter((_, index) => ends[index]?.[0] !== 0);
  assert.deepEqual(refused, ["missing", "unsure", "queue missing"]);
  const missing = new RegExp(`"${name}" does not exist in environment "main"`);
  for (const what of ["missing", "queue missing"]) assert.match(said[what] ?? "", missing);
  assert.match(said["unsure"] ?? "", /irrevocably|--yes/);

  assert.deepEqual([said["got"], said["peeked"], said["peeked at p"]], ["1", "first\nsecond", "10\n11"]);
  assert.deepEqual([said["length"], said["total"], said["left of all"], said["nothing of all"]], ["3", "5", "3", "0"]);
  assert.equal((JSON.parse(said["items"] ?? "") as unknown[]).length, 3);
  assert.match(said["some"] ?? "", /\.\.\. +.* \.\.\./);
  assert.equal(said["nothing"], "[]");
  const own = (list: string | undefined): unknown[] =>
    (JSON.parse(list ?? "") as Record<string, unknown>[])
      .map((row) => Object.values(row))
      .find(([first]) => first === name) ?? [];
  assert.equal(own(said["dicts"])[0], name);
  assert.deepEqual(own(said["queues"]).slice(3, 5).map(Number), [2, 5], "partitions and items");
});

test("kill -9 of the server loses no item and doubles none", { skip: missingClient(newestClient) }, async () => {
  await using platform = await Platform.start();
  await stateRun(platform, 5, seededRandom(3));
});
