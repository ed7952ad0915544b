/** Calls whose results are fetched later, and calls that are taken back. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Platform,
  type Program,
  missingClient,
  modal,
  newestClient,
  platformOfFile,
  python,
  runLydian,
} from "@lydian/testkit";

import { tellStories } from "./told-stories.ts";
import { app } from "./stories.ts";

const platform = await platformOfFile();

tellStories(platform, "spawned.py");

const skip = missingClient(newestClient);

async function says(on: Platform, program: string): Promise<string> {
  await using run: Program = python(on, newestClient, ["-c", `import modal\n${program}`]);
  return (await run.finishWith(0)).trim();
}

test("operators list, inspect, cancel and run again what clients have called", { skip }, async () => {
  const lydian = async (...args: string[]): Promise<string> => {
    await using run = runLydian(["call", ...args, "--data", platform.data]);
    return await run.finishWith(0);
  };
  const calls = async (...filters: string[]): Promise<string[]> => {
    const found = JSON.parse(await lydian("list", ...filters, "--json")) as { calls?: { callId: string }[] };
    return (found.calls ?? []).map(({ callId }) => callId);
  };
  await using deploy = modal(platform, newestClient, ["deploy", "--name", "operated", app("spawned.py")]);
  await deploy.finishWith(0);
  const spawn = (call: string): Promise<string> =>
    says(platform, `print(modal.Function.from_name("operated", ${call}).object_id)`);
  const ends = (id: string): Promise<string> =>
    says(platform, `try: modal.FunctionCall.from_id("${id}").get()\nexcept Exception as error: print(repr(error))`);
  const failing = await spawn(`"divide").spawn(1, by=0`);
  assert.match(await ends(failing), /ZeroDivisionError/);
  assert.deepEqual(await calls("--app", "operated", "--state", "failed"), [failing]);
  const [, again = ""] = /^(fc-\w+) runs 1 input again\.$/m.exec(await lydian("retry", failing)) ?? [];
  assert.match(await ends(again), /ZeroDivisionError/);
  assert.match(await lydian("inspect", again), /\boperated +divide +failed\b[^]*\bfailure +1 +ta-\w+/);

  const running = await spawn(`"work").spawn("operated"`);
  assert.deepEqual(await calls("--app", "operated", "--function", "work", "--state", "open"), [running]);
  await lydian("cancel", running);
  assert.match(await ends(running), /cancelled/);
  assert.deepEqual(new Set(await calls("--app", "operated", "--function", "divide")), new Set([again, failing]));
});

test("results outlive a restart of the platform", { skip }, async () => {
  await using first = await Platform.start();
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
