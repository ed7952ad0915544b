/** A client that waits for a function in the middle of its input, for stories in which something is killed meanwhile. */
import assert from "node:assert/strict";

import { type FunctionProcess, Platform, type Program, modal } from "@lydian/testkit";

import { app, theFunction } from "../clients/stories.ts";

export interface Story extends AsyncDisposable {
  platform: Platform;
  run: Program;
  /** The function's process, in the middle of its input. */
  running: FunctionProcess;
}

/** A client that waits for a function, which waits to be let go on. */
export async function waitingCall(version: string, on?: Platform): Promise<Story> {
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
export async function isAnsweredBy({ run }: Story, { containerId }: FunctionProcess): Promise<void> {
  const output = await run.finishWith(0);
  assert.deepEqual(output.match(/^answer .*$/gm), [`answer from ${containerId}`], output);
  assert.doesNotMatch(run.stderr, /Traceback|Error/);
}

/** The function was begun as often as there are containers here. */
export function ranIn({ run }: Story, ...containers: FunctionProcess[]): void {
  const begun = run.output.match(/^it runs in .*$/gm);
  assert.deepEqual(
    begun,
    containers.map(({ containerId }) => `it runs in ${containerId}`),
  );
}

/** Another one than was there before runs the same input. */
export async function successor({ platform, run, running }: Story): Promise<FunctionProcess> {
  await run.sees(new RegExp(`^it runs in (?!${running.containerId})ta-\\w+$`, "m"));
  const second = theFunction(platform);
  assert.notEqual(second.containerId, running.containerId);
  return second;
}
