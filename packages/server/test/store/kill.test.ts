/** kill -9 of a process that writes: whatever it said is kept is kept, and each unit is there as a whole or not at all. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createInterface } from "node:readline";
import { test } from "node:test";

import { Bells } from "@lydian/kit";
import { seededRandom, temporaryFolder } from "@lydian/testkit";

import { openStore } from "../../src/store/sqlite.ts";

const rounds = 6;

/** Writes until it has said this many keys, and is killed there and then; answers all that it said. */
async function writeUntilKilled(file: string, prefix: string, keys: number): Promise<string[]> {
  const program = join(import.meta.dirname, "..", "support", "writing-child.ts");
  const args = ["--conditions=lydian-source", program, file, prefix];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close");
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    if (said.length === keys) child.kill("SIGKILL");
  }
  assert.deepEqual(await ended, [null, "SIGKILL"]);
  return said;
}

test("kill -9 loses no write whose promise resolved, and halves none", async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "store.sqlite");
  const random = seededRandom(7);
  const said: string[] = [];
  for (let round = 0; round < rounds; round++) {
    said.push(...(await writeUntilKilled(file, `r${round}-`, 1 + random.below(300))));
    const store = openStore(file, new Bells());
    for (const key of said) {
      const kept = await store.read((tx) => tx.replies.find(`${key} a`));
      assert.ok(kept !== undefined, `${key} was said to be kept`);
    }
    await store.close();
    assert.deepEqual(halves(file), []);
  }
  assert.ok(said.length >= rounds);
});

/** Units of which only one row is there. */
function halves(file: string): unknown[] {
  const database = new DatabaseSync(file, { readOnly: true });
  const sql = `SELECT substr(key, 1, length(key) - 2) AS unit FROM replies GROUP BY unit HAVING count(*) <> 2`;
  const rows = database.prepare(sql).all();
  database.close();
  return rows;
}
