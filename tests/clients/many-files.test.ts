/** Functions with more files than are copied into each of their containers. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { missingClient, modal, newestClient, platformOfFile, usualRuntime } from "@lydian/testkit";

import { app } from "./stories.ts";

const skip = missingClient(newestClient) || (usualRuntime === "runc" ? false : "containers cannot run here");
const platform = skip === false ? await platformOfFile({ runtime: "runc" }) : undefined;

test("each container has them all, wherever the image's links lead, and cannot change them", { skip }, async () => {
  assert.ok(platform);
  await using run = modal(platform, newestClient, ["run", app("many_files.py")]);
  const output = await run.finishWith(0, 120_000);
  const one = `(700, 'file 0', True, 'file 0')`;
  assert.match(output, new RegExp(`^twice ${RegExp.escape(`${one} ${one}`)}$`, "m"));
  assert.match(output, /^beside \('another', 701\)$/m);
});
