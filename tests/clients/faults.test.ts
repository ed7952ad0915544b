/** kill -9 of anything while a call runs: its result arrives, once, and the client sees nothing but a delay. More kills: tests/soak/single-kills.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Platform, allGone, isRunning, missingClient, newestClient, testEachClient } from "@lydian/testkit";

import { isAnsweredBy, ranIn, successor, waitingCall } from "../faults/waiting-call.ts";
import { goOn, theFunction } from "./stories.ts";

const skip = missingClient(newestClient);

testEachClient("the server is killed while a function runs", async (version) => {
  await using story = await waitingCall(version);
  const server = await story.platform.kill("server");
  await story.platform.replaced("server", server);
  assert.ok(isRunning(story.running));
  await goOn(story.running);
  await isAnsweredBy(story, story.running);
  ranIn(story, story.running);
});

testEachClient("the worker is killed while a function runs", async (version) => {
  await using story = await waitingCall(version);
  const worker = await story.platform.kill("worker");
  await story.platform.replaced("worker", worker);
  assert.ok(isRunning(story.running));
  await goOn(story.running);
  await isAnsweredBy(story, story.running);
  ranIn(story, story.running);
});

test("the function is killed: another one gets the input", { skip }, async () => {
  await using story = await waitingCall(newestClient);
  process.kill(story.running.pid, "SIGKILL");
  const second = await successor(story);
  await goOn(second);
  await isAnsweredBy(story, second);
  ranIn(story, story.running, second);
});

test("the process that keeps the function is killed: another one gets the input", { skip }, async () => {
  await using story = await waitingCall(newestClient);
  const keeper = story.platform.keeperOf(story.running);
  assert.ok(keeper);
  process.kill(keeper.pid, "SIGKILL");
  await allGone([story.running], 5_000);
  const second = await successor(story);
  await goOn(second);
  await isAnsweredBy(story, second);
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
  assert.equal(theFunction(second).pid, story.running.pid);
  story.run.signal("SIGKILL", "group"); // whether it still waits depends on how long there was no port
  await story.run.finish();
  await second.stop();
  assert.ok(!isRunning(story.running));
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
