/** Short inputs of which many are taken at a time, and among them one whose code keeps its container from anything else. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";

import { App, currentInputId, Dict } from "lydian";

const app = new App("ahead");
const count = 400;
const slow = 200;

/** `computes` for as long as nobody lets it go on; it prints who it is. */
export const short = app.function({ maxContainers: 2 }, (number: number) => {
  console.log(`${number} is ${currentInputId()}`);
  if (number !== slow) return number;
  const container = process.env["MODAL_TASK_ID"] ?? "";
  console.log(`computes in ${container}`);
  while (!existsSync(`/tmp/go-${container}`)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  return number;
});

/** The same with code that waits, and lets the loop turn. */
export const waiting = app.function({ maxContainers: 2 }, async (number: number) => {
  if (number === slow) await new Promise((resolve) => setTimeout(resolve, 300));
  return number;
});

const died = Dict.fromName<string, boolean>("ahead-died", { createIfMissing: true });

/** What its container dies with, whether begun or not, is begun in another one. */
export const fragile = app.function({ maxContainers: 1 }, async (number: number) => {
  if (number === slow && !(await died.contains("here"))) {
    await died.put("here", true);
    process.exit(7);
  }
  return number;
});

export const main = app.localEntrypoint({}, async () => {
  const numbers = Array.from({ length: count }, (_, number) => number);
  assert.deepEqual(await waiting.map(numbers).toArray(), numbers);

  assert.deepEqual(await fragile.map(numbers).toArray(), numbers);

  const left = new Set<number>(numbers);
  for await (const number of short.map(numbers, { orderOutputs: false })) {
    left.delete(number);
    if (left.size === 1) console.log(`only ${[...left].join()} is left`);
  }
  console.log("all of it holds");
});
