/** kill -9 of anything while a call runs: its result arrives, once, and the client sees nothing but a delay. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Platform,
  type ProcessEntry,
  type Program,
  allGone,
  isRunning,
  missingClient,
  modal,
  newestClient,
  testEachClient,
} from "@lydian/testkit";

import { Scratch, app } from "./scratch.ts";

const skip = missingClient(newestClient);

interface Story extends AsyncDisposable {
  platform: Platform;
  run: Program;
  scratch: Scratch;
  /** The function's process, in the middle of its input. */
  running: ProcessEntry;
}

/** A client that waits for a function, which waits for the file `go`. */
async function waitingCall(version: string, on?: Platform): Promise<Story> {
  await using held = new AsyncDisposableStack();
  // One of its own: a platform whose parts die again and again takes its time to start them.
  const platform = on ?? held.use(await Platform.start());
  const scratch = held.use(await Scratch.make());
  const run = held.use(modal(platform, version, ["run", app("patience.py::main"), "--folder", scratch.path]));
  await scratch.sees("runs-");
  const [running, ...others] = platform.functions();
  assert.ok(running);
  assert.deepEqual(others, []);
  const owned = held.move();
  return { platform, run, scratch, running, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The answer says which process gave it, and it is the only one. */
async function isAnsweredBy(story: Story, pid: number | RegExp): Promise<void> {
  const output = await story.run.finishWith(0);
  const answers = output.match(/^answer .*$/gm) ?? [];
  assert.equal(answers.length, 1, output);
  assert.match(answers[0] ?? "", typeof pid === "number" ? new RegExp(`^answer ${pid} `) : pid);
  assert.doesNotMatch(story.run.stderr, /Traceback|Error/);
}

testEachClient("the server is killed while a function runs", async (version) => {
  await using story = await waitingCall(version);
  const server = await story.platform.kill("server");
  await story.platform.replaced("server", server);
  assert.ok(isRunning(story.running));
  await story.scratch.put("go");
  await isAnsweredBy(story, story.running.pid);
  assert.equal((await story.scratch.names()).length, 2, "it ran once");
});

testEachClient("the function ends while there is no server", async (version) => {
  await using story = await waitingCall(version);
  await story.platform.kill("server");
  await story.scratch.put("go");
  await isAnsweredBy(story, story.running.pid);
  assert.equal((await story.scratch.names()).length, 2, "it ran once");
});

testEachClient("the worker is killed while a function runs", async (version) => {
  await using story = await waitingCall(version);
  const worker = await story.platform.kill("worker");
  await story.platform.replaced("worker", worker);
  assert.ok(isRunning(story.running));
  await story.scratch.put("go");
  await isAnsweredBy(story, story.running.pid);
  assert.equal((await story.scratch.names()).length, 2, "it ran once");
});

testEachClient("the function ends while there is no worker", async (version) => {
  await using story = await waitingCall(version);
  await story.platform.kill("worker");
  await story.scratch.put("go");
  await isAnsweredBy(story, story.running.pid);
});

test("server and worker are killed at once", { skip }, async () => {
  await using story = await waitingCall(newestClient);
  await Promise.all([story.platform.kill("server"), story.platform.kill("worker")]);
  await story.scratch.put("go");
  await isAnsweredBy(story, story.running.pid);
});

test("the worker and the function are killed: another one gets the input", { skip }, async () => {
  await using story = await waitingCall(newestClient);
  await story.platform.kill("worker");
  process.kill(story.running.pid, "SIGKILL");
  await story.scratch.sees("runs-", 2);
  await story.scratch.put("go");
  const [second] = story.platform.functions();
  await isAnsweredBy(story, second?.pid ?? /^there is a second process$/);
  assert.notEqual(second?.pid, story.running.pid);
});

test("the process that keeps the function is killed: another one gets the input", { skip }, async () => {
  await using story = await waitingCall(newestClient);
  process.kill(story.running.parent, "SIGKILL");
  await allGone([story.running], 5_000);
  await story.scratch.sees("runs-", 2);
  await story.scratch.put("go");
  await isAnsweredBy(story, /^answer \d+ ta-/);
});

test("the supervisor is killed: the others end, and the next one takes over and stops all", { skip }, async () => {
  await using first = await Platform.start();
  await using story = await waitingCall(newestClient, first);
  const children = [first.process("server"), first.process("worker")].filter((entry) => entry !== undefined);
  assert.equal(children.length, 2);
  await first.kill("supervisor");
  await first.ended();
  await allGone(children, 5_000);

  await using second = await Platform.start({ data: first.data, args: ["--port", new URL(first.url).port] });
  assert.ok(isRunning(story.running), "the function outlives them");
  assert.match(second.log, /took over containers/);
  assert.deepEqual(
    second.functions().map(({ pid }) => pid),
    [story.running.pid],
  );
  story.run.signal("SIGKILL", "group"); // whether it still waits depends on how long there was no port
  await story.run.finish();
  await second.stop();
  assert.ok(!isRunning(story.running));
});

test("the supervisor and the function are killed: the next one finds nothing to take over", { skip }, async () => {
  await using first = await Platform.start();
  await using story = await waitingCall(newestClient, first);
  await first.kill("supervisor");
  await first.ended();
  process.kill(story.running.pid, "SIGKILL");
  story.run.signal("SIGKILL", "group");
  await story.run.finish();
  await using second = await Platform.start({ data: first.data });
  await second.stop();
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`the platform is stopped by ${signal} while a function runs: nothing of it is left`, { skip }, async () => {
    await using platform = await Platform.start();
    await using story = await waitingCall(newestClient, platform);
    story.run.signal("SIGKILL", "group"); // what is looked at is the platform, and a client belongs to it
    await story.run.finish();
    assert.ok(isRunning(story.running));
    await platform.stop(signal);
    assert.ok(!isRunning(story.running));
  });
}
