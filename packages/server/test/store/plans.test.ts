/** How the database finds things: by an index, whatever there is in the tables, but for a few that are named here. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";

import { Bells } from "@lydian/kit";
import { temporaryFolder } from "@lydian/testkit";

import { openStore } from "../../src/store/sqlite.ts";

/** Walks through a whole table or index, and why that is right: there is never much in it. */
const walks: Readonly<Record<string, string>> = {
  workspaces: "there is one",
  "environments USING INDEX sqlite_autoindex_environments_1": "there are few",
  "apps USING INDEX sqlite_autoindex_apps_1": "at the server's start, and when people list them",
  unneeded: "at the server's start",
  sweeps: "those that are under way",
  logs: "at the server's start, one row for each app",
  "inputs USING INDEX inputs_claimed": "what runs now",
  "inputs USING INDEX inputs_unfinished": "what has no output yet, when an operator lists what is open",
  "inputs USING INDEX inputs_ending": "what is to stop now",
  "inputs USING INDEX inputs_delayed": "what waits for its next attempt",
  "containers USING INDEX containers_alive": "what lives now",
  demands: "what is called now",
  replies: "from the oldest on, as far as the limit",
  "functions USING INDEX functions_kept": "what always has containers",
  "images USING INDEX images_under_way": "what is built now, or is to be",
  "volumes USING INDEX volumes_ephemeral": "at the server's start",
  "volumes USING INDEX volumes_deleted": "those whose files are not all gone yet",
  "volumes USING INDEX volumes_to_trim": "those of which states are to be forgotten",
  apps: "when an operator names one",
  images: "when those are looked for that nothing needs",
  functions: "when an operator names one",
  "calls USING INDEX calls_open": "maps whose clients are not done",
  tokens: "there are few, and people list them",
  token_requests: "there are few",
  schedules: "at the server's start, and when its clock has gone back",
  "schedules USING INDEX schedules_by_moment": "when people list them",
  "schedules USING COVERING INDEX schedules_by_moment": "the first one",
  "calls USING INDEX calls_of_web": "at the server's start, those that were open",
  proxy_tokens: "when an operator lists them",
  volume_owed: "at a worker's start, those that are under way",
  "objects USING COVERING INDEX objects_ephemeral": "at the server's start",
};

/** All statements that a store prepares. */
async function statements(file: string): Promise<string[]> {
  const found = new Set<string>();
  const { prepare } = DatabaseSync.prototype;
  DatabaseSync.prototype.prepare = function (this: DatabaseSync, sql: string) {
    found.add(sql);
    return prepare.call(this, sql);
  };
  try {
    await openStore(file, new Bells()).close();
  } finally {
    DatabaseSync.prototype.prepare = prepare;
  }
  return [...found].filter((sql) => !/^\s*PRAGMA/.test(sql));
}

test("no statement walks through what grows", async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "store.sqlite");
  const all = await statements(file);
  assert.ok(all.length > 80, `${all.length} statements`);
  const database = new DatabaseSync(file, { readOnly: true });
  const found = all.flatMap((sql) =>
    database
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map(({ detail }) => ({ sql, walk: /^SCAN (?!json_each|\(|[A-Z]+ )(.*)$/.exec(String(detail))?.[1] ?? "" })),
  );
  database.close();
  const walked = found.filter(({ walk }) => walk !== "");
  const bad = walked.filter(({ walk }) => !(walk in walks));
  assert.deepEqual(bad, []);
  const unused = Object.keys(walks).filter((name) => !walked.some(({ walk }) => walk === name));
  assert.deepEqual(unused, [], "what is named here is there");
});
