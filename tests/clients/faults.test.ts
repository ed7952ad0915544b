/** kill -9 of anything while a call runs: its result arrives, once, and the client sees nothing but a delay. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  type FunctionProcess,
  Platform,
  type Program,
  allGone,
  isRunning,
  missingClient,
  modal,
  newestClient,
  testEachClient,
} from "@lydian/testkit";

import { app, goOn, theFunction } from "./stories.ts";

const skip = missingClient(newestClient);

interface Story extends AsyncDisposable {
  platform: Platform;
  run: Program;
  /** The function's process, in the middle of its input. */
  running: FunctionProcess;
}

/** A client that waits for a function, which waits to be let go on. */
async function waitingCall(version: string, on?: Platform): Promise<Story> {
  await using held = new AsyncDisposableStack();
  // One of its own: a platform whose parts die again and again takes its time to start them.
  const platform = on ?? held.use(await Platform.start());
  const run = held.use(modal(platform, version, ["run", app("patience.py::main")]));
  await run.sees(/^it runs in ta-\w+$/m);
  const running = theFunction(platform);
  const owned = held.move();
  return { platform, run, running, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** There is one answer, and it says which container gave it. */
async function isAnsweredBy({ run }: Story, { containerId }: FunctionProcess): Promise<void> {
  const output = await run.finishWith(0);
  assert.deepEqual(output.match(/^answer .*$/gm), [`answer from ${containerId}`], output);
  assert.doesNotMatch(run.stderr, /Traceback|Error/);
}

/** The function was begun as often as there are containers here. */
function ranIn({ run }: Story, ...containers: FunctionProcess[]): void {
  const begun = run.output.match(/^it runs in .*$/gm);
  assert.deepEqual(
    begun,
    containers.map(({ containerId }) => `it runs in ${containerId}`),
  );
}

/** Another one than was there before runs the same input. */
async function successor({ platform, run, running }: Story): Promise<FunctionProcess> {
  await run.sees(new RegExp(`^it runs in (?!${running.containerId})ta-\\w+$`, "m"));
  const second = theFunction(platform);
  assert.notEqual(second.containerId, running.containerId);
  return second;
}

testEachClient("the server is killed while a function runs", async (version) => {
  await using story = await waitingCall(version);
  const server = await story.platform.kill("server");
  await story.platform.replaced("server", server);
  assert.ok(isRunning(story.running));
  await goOn(story.running);
  await isAnsweredBy(story, story.running);
  ranIn(story, story.running);
});

testEachClient("the function ends while there is no server", async (version) => {
  await using story = await waitingCall(version);
  await story.platform.kill("server");
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

test("the function is killed: another one gets the input", { skip }, async () => {
  await using story = await waitingCall(newestClient);
  process.kill(story.running.pid, "SIGKILL");
  const second = await successor(story);
  await goOn(second);
  await isAnsweredBy(story, second);
  ranIn(story, story.running, second);
});

test("the worker and the function are killed: another one gets the input", { skip }, async () => {
  await using story = await waitingCall(newestClient);
  await story.platform.kill("worker");
  process.kill(story.running.pid, "SIGKILL");
  const second = await successor(story);
  await goOn(second);
  await isAnsweredBy(story, second);
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
