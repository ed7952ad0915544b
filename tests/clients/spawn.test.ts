/** Calls whose results are fetched later, and calls that are taken back. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Platform, type Program, missingClient, modal, newestClient, platformOfFile, python } from "@lydian/testkit";

import { tellStories } from "./told-stories.ts";
import { app } from "./stories.ts";

tellStories(await platformOfFile(), "spawned.py");

test("results outlive a restart of the platform", async (context) => {
  const missing = missingClient(newestClient);
  if (missing !== false) return context.skip(missing);
  await using first = await Platform.start();
  const says = async (on: Platform, program: string): Promise<string> => {
    await using run: Program = python(on, newestClient, ["-c", `import modal\n${program}`]);
    return (await run.finishWith(0)).trim();
  };
  await using deploy = modal(first, newestClient, ["deploy", app("spawned.py")]);
  await deploy.finishWith(0);
  const spawn = `call = modal.Function.from_name("spawned", "divide").spawn(9, by=2); call.get(); print(call.object_id)`;
  const callId = await says(first, spawn);
  await first.stop();
  await using second = await Platform.start({
    data: first.data,
    args: ["--port", new URL(first.url).port],
  });
  assert.equal(await says(second, `print(modal.FunctionCall.from_id("${callId}").get())`), "4.5");
});
