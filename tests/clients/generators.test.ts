/** Functions that give one thing after another. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Platform, missingClient, modal, newestClient, platformOfFile } from "@lydian/testkit";

import { tellStories } from "./told-stories.ts";
import { app } from "./stories.ts";

tellStories(await platformOfFile(), "streams.py");

test("the server is killed twice in the middle: every item comes once and in order", async (context) => {
  const missing = missingClient(newestClient);
  if (missing !== false) return context.skip(missing);
  await using platform = await Platform.start();
  const count = 600;
  await using run = modal(platform, newestClient, ["run", `${app("streams.py")}::slowly`, "--upto", String(count)]);
  for (const item of [50, 300]) {
    await run.sees(`item ${item}\n`, 60_000);
    const server = await platform.kill("server");
    await platform.replaced("server", server);
  }
  const output = await run.finishWith(0, 60_000);
  assert.match(output, new RegExp(`^all ${count} came once and in order$`, "m"));
});
