/** Clients that leave: by Ctrl-C, by being killed, and on purpose with --detach. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Platform,
  allGone,
  missingClient,
  modal,
  newestClient,
  platformOfFile,
  testEachClient,
  until,
  within,
} from "@lydian/testkit";

import { app, theFunction } from "./stories.ts";

const platform = await platformOfFile();

/** From the interrupt to the end of all that the app runs: half of what a client gets that is not heard of. */
const endsWithinMs = 30_000;

testEachClient("Ctrl-C ends the app and its function", async (version) => {
  await using run = modal(platform, version, ["run", app("patience.py::main")]);
  await run.sees("it runs");
  const running = platform.processesOf(theFunction(platform));
  run.signal("SIGINT", "group");
  await allGone(running, endsWithinMs);
  await run.finish();
  assert.match(run.output, /App aborted/);
  assert.doesNotMatch(run.output, /Traceback|Timed out/);
});

testEachClient("and what the function has started, even if it ignores signals", async (version) => {
  await using run = modal(platform, version, ["run", app("patience.py::children")]);
  await run.sees("it runs");
  const running = platform.processesOf(theFunction(platform));
  assert.ok(running.some(({ command }) => command[1] === "-c"));
  run.signal("SIGINT", "group");
  await allGone(running, endsWithinMs);
  await run.finish();
});

testEachClient("and containers that are idle", async (version) => {
  await using run = modal(platform, version, ["run", app("patience.py::idle")]);
  await run.sees("answer 2");
  const running = platform.processesOf(theFunction(platform));
  run.signal("SIGINT", "group");
  await allGone(running, endsWithinMs);
  await run.finish();
  assert.doesNotMatch(run.output, /Timed out/);
});

testEachClient("a detached app goes on without its client until it is stopped", async (version) => {
  await using run = modal(platform, version, ["run", "--detach", app("patience.py::wait")]);
  await run.sees("it runs");
  const running = platform.processesOf(theFunction(platform));
  run.signal("SIGINT", "group");
  const { code } = await run.finish();
  assert.equal(code, 0);
  assert.doesNotMatch(run.output, /Timed out/);
  assert.ok(running.some(({ pid }) => pid === theFunction(platform).pid));

  const appId = /ap-\w{22}/.exec(run.output)?.[0] ?? "";
  await using list = modal(platform, version, ["app", "list"]);
  assert.match(await list.finishWith(0), new RegExp(`${appId}.*detached`));
  const yes = version.startsWith("1.3.") ? [] : ["--yes"]; // the option is newer
  await using stop = modal(platform, version, ["app", "stop", appId, ...yes]);
  await stop.finishWith(0);
  await allGone(running, endsWithinMs);
});

testEachClient("a detached app that is done ends", async (version) => {
  await using run = modal(platform, version, ["run", "--detach", "examples/python/hello.py"]);
  assert.doesNotMatch(await run.finishWith(0), /Timed out/);
});

test("a client that was killed is missed", { skip: missingClient(newestClient) }, async () => {
  const expiryMs = 10_000; // less than the client's own 15 s between heartbeats, and time enough to start
  await using impatient = await Platform.start({ times: { appExpiry: expiryMs } });
  await using run = modal(impatient, newestClient, ["run", app("patience.py::main")]);
  await run.sees("it runs");
  const running = impatient.processesOf(theFunction(impatient));
  run.signal("SIGKILL");
  await within(expiryMs + 5_000, allGone(running, 60_000), () => impatient.describe("its function still runs"));
  await until(
    5_000,
    () => /was not heard of/.test(impatient.log),
    () => impatient.describe("nobody says why"),
  );
});
