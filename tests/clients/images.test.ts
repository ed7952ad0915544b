/** Images of the stock clients: every method that makes one, and what its maker sees of the making. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { missingClient, modal, newestClient, platformOfFile } from "@lydian/testkit";

import { app } from "./stories.ts";
import { tellStories } from "./told-stories.ts";

const platform = await platformOfFile();

tellStories(platform, "images.py");

const skip = missingClient(newestClient);

test("an image that is there is taken at once, without a word", { skip }, async () => {
  const program = ["run", `${app("images.py")}::main`];
  await using first = modal(platform, newestClient, program, { env: { STORIES: "packages_by_apt" } });
  await first.finishWith(0);
  assert.doesNotMatch(first.output, /=> Step/, "nothing is made a second time");
});
