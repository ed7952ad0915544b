/** Two platforms on one host: what happens to one is nothing to the other, and each leaves the host as it was. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  type FunctionProcess,
  Platform,
  type Program,
  isRunning,
  missingClient,
  modal,
  newestClient,
  usualRuntime,
} from "@lydian/testkit";

import { app, functionIn, goOn } from "../clients/stories.ts";

const skip = usualRuntime === "runc" ? missingClient(newestClient) : "containers cannot run here";

interface Call extends AsyncDisposable {
  readonly run: Program;
  readonly running: FunctionProcess;
}

/** A client that waits for a function. */
async function callOn(platform: Platform): Promise<Call> {
  const run = modal(platform, newestClient, ["run", app("patience.py::main")]);
  await run.sees(/^it runs in ta-\w+$/m, 300_000);
  const [id] = /(?<=^it runs in )ta-\w+$/m.exec(run.output) ?? [];
  return { run, running: functionIn(platform, id), [Symbol.asyncDispose]: () => run[Symbol.asyncDispose]() };
}

async function isAnswered({ run, running }: Call): Promise<void> {
  await goOn(running);
  assert.match(await run.finishWith(0), new RegExp(`^answer from ${running.containerId}$`, "m"));
}

test(
  "one is killed, started anew and stopped beside the other, which goes on",
  { skip, timeout: 600_000 },
  async () => {
    await using one = await Platform.start();
    await using other = await Platform.start();
    await using held = await callOn(other);
    const had = await other.traces();
    assert.ok(had.length > 0);
    /** All that the other platform had is still there, and its function runs. */
    const isUntouched = async (): Promise<void> => {
      const has = new Set(await other.traces());
      assert.deepEqual(
        had.filter((trace) => !has.has(trace)),
        [],
      );
      assert.ok(isRunning(held.running));
    };

    await using first = await callOn(one);
    const worker = await one.kill("worker");
    await one.replaced("worker", worker);
    await isUntouched();
    await isAnswered(first);

    await using second = await callOn(one);
    await one.kill("supervisor");
    await one.ended();
    second.run.signal("SIGKILL", "group");
    await second.run.finish();
    await using again = await Platform.start({ data: one.data });
    await isUntouched();
    assert.ok(isRunning(second.running), "it takes over what is its own");
    await using third = await callOn(again);
    await isAnswered(third);

    await again.stop(); // fails if anything of it is left on the host
    await isUntouched();
    await isAnswered(held);
    await using fourth = await callOn(other);
    await isAnswered(fourth);
    await other.stop();
  },
);
