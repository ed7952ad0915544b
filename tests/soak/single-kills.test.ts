/** kill -9 of two at once, or of one while another ends: the call is answered, once. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Platform, missingClient, modal, newestClient, testEachClient } from "@lydian/testkit";

import { app, goOn } from "../clients/stories.ts";
import { isAnsweredBy, ranIn, successor, waitingCall } from "../faults/waiting-call.ts";

const skip = missingClient(newestClient);

testEachClient("the function ends while there is no server", async (version) => {
  await using story = await waitingCall(version);
  await story.platform.kill("server");
  await goOn(story.running);
  await isAnsweredBy(story, story.running);
  ranIn(story, story.running);
});

testEachClient("the function ends while there is no worker", async (version) => {
  await using story = await waitingCall(version);
  await story.platform.kill("worker");
  await goOn(story.running);
  await isAnsweredBy(story, story.running);
});

/**
 * grpclib (0.4.9) fails so when a connection is lost in the very moment of a request, and the client in the container then
 * tells that as the function's own error: nobody else can know better.
 */
const clientsOwnFault = /'Connection' object has no attribute '_transport'/;

test("server and worker are killed at once", { skip }, async () => {
  for (let tries = 3; ; tries--) {
    await using story = await waitingCall(newestClient);
    await Promise.all([story.platform.kill("server"), story.platform.kill("worker")]);
    await goOn(story.running);
    try {
      return await isAnsweredBy(story, story.running);
    } catch (error) {
      if (tries === 1 || !clientsOwnFault.test(story.run.output)) throw error;
    }
  }
});

test("the worker and the function are killed: another one gets the input", { skip }, async () => {
  await using story = await waitingCall(newestClient);
  await story.platform.kill("worker");
  process.kill(story.running.pid, "SIGKILL");
  const second = await successor(story);
  await goOn(second);
  await isAnsweredBy(story, second);
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

test("the server is killed twice while a generator runs: every item comes once and in order", { skip }, async () => {
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
