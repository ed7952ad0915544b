/** Clients that leave: by Ctrl-C, by being killed, and on purpose with --detach. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Platform,
  type ProcessEntry,
  type Program,
  allGone,
  listProcesses,
  missingClient,
  modal,
  newestClient,
  platformOfFile,
  testEachClient,
  touches,
  until,
  within,
} from "@lydian/testkit";

import { Scratch, app } from "./scratch.ts";

const platform = await platformOfFile();

/** From the interrupt to the end of all that the app runs. */
const endsWithinMs = 1_000;

const story = (version: string, scratch: Scratch, entry: string, ...flags: string[]): Program =>
  modal(platform, version, ["run", ...flags, app(`patience.py::${entry}`), "--folder", scratch.path]);

/** The function's processes: those that name the folder that they were given, and the containers' main processes. */
function runningIn(on: Platform, scratch: Scratch): ProcessEntry[] {
  const children = listProcesses().filter(
    ({ command, ...entry }) => command.includes("-c") && touches({ command, ...entry }, scratch.path),
  );
  return [...on.functions(), ...children];
}

testEachClient("Ctrl-C ends the app and its function within a second", async (version) => {
  await using scratch = await Scratch.make();
  await using run = story(version, scratch, "main");
  await scratch.sees("runs-");
  const running = runningIn(platform, scratch);
  assert.equal(running.length, 1);
  run.signal("SIGINT", "group");
  await allGone(running, endsWithinMs);
  await run.finish();
  assert.match(run.output, /App aborted/);
  assert.doesNotMatch(run.output, /Traceback|Timed out/);
});

testEachClient("and what the function has started, even if it ignores signals", async (version) => {
  await using scratch = await Scratch.make();
  await using run = story(version, scratch, "children");
  await scratch.sees("runs-");
  const running = runningIn(platform, scratch);
  assert.equal(running.length, 2);
  run.signal("SIGINT", "group");
  await allGone(running, endsWithinMs);
  await run.finish();
});

testEachClient("and containers that are idle", async (version) => {
  await using scratch = await Scratch.make();
  await using run = story(version, scratch, "idle");
  await scratch.sees("runs-"); // the local entry point itself
  const running = runningIn(platform, scratch);
  assert.equal(running.length, 1);
  run.signal("SIGINT", "group");
  await allGone(running, endsWithinMs);
  await run.finish();
  assert.doesNotMatch(run.output, /Timed out/);
});

testEachClient("a detached app goes on without its client until it is stopped", async (version) => {
  await using scratch = await Scratch.make();
  await using run = story(version, scratch, "wait", "--detach");
  await scratch.sees("runs-");
  const running = runningIn(platform, scratch);
  run.signal("SIGINT", "group");
  const { code } = await run.finish(8_000);
  assert.equal(code, 0);
  assert.doesNotMatch(run.output, /Timed out/);
  assert.equal(runningIn(platform, scratch)[0]?.pid, running[0]?.pid);

  const appId = /ap-\w{22}/.exec(run.output)?.[0] ?? "";
  await using list = modal(platform, version, ["app", "list"]);
  assert.match(await list.finishWith(0), new RegExp(`${appId}.*detached`));
  const yes = version.startsWith("1.3.") ? [] : ["--yes"]; // the option is newer
  await using stop = modal(platform, version, ["app", "stop", appId, ...yes]);
  await stop.finishWith(0);
  await allGone(running, endsWithinMs);
});

testEachClient("a detached app that is done ends at once", async (version) => {
  await using run = modal(platform, version, ["run", "--detach", "examples/python/hello.py"]);
  assert.doesNotMatch(await run.finishWith(0, 8_000), /Timed out/);
});

test("a client that was killed is missed", { skip: missingClient(newestClient) }, async () => {
  const expiryMs = 10_000; // less than the client's own 15 s between heartbeats, and time enough to start
  await using impatient = await Platform.start({ times: { appExpiry: expiryMs } });
  await using scratch = await Scratch.make();
  await using run = modal(impatient, newestClient, ["run", app("patience.py::main"), "--folder", scratch.path]);
  await scratch.sees("runs-");
  const running = runningIn(impatient, scratch);
  assert.equal(running.length, 1);
  run.signal("SIGKILL");
  await within(expiryMs + 5_000, allGone(running, 60_000), () => impatient.describe("its function still runs"));
  await until(
    5_000,
    () => /was not heard of/.test(impatient.log),
    () => impatient.describe("nobody says why"),
  );
});
