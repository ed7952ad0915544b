/** The thread beside a container's loop: gives inputs back that wait behind one whose code keeps that loop from turning. */
import { parentPort, workerData } from "node:worker_threads";

import { type HeldAhead, stillWait, takeOne } from "./ahead-states.ts";

/** The loop itself looks earlier, if it turns; in milliseconds. */
const stuckMs = 25;

const { states, patienceMs } = workerData as { states: Int32Array; patienceMs: number };
let held: HeldAhead = { batch: 0, inputs: [] };
let begun = 0;

const timer = setTimeout(() => {
  if (!stillWait(states, held)) return;
  const now = Atomics.load(states, 0);
  if (now === begun) void rescue();
  begun = now;
  timer.refresh();
}, stuckMs);

/** What it takes is loaded when it is needed, and the loop may have gone on when that is done. */
async function rescue(): Promise<void> {
  const stuckAt = begun;
  const [{ Client }, { giveBack }] = await Promise.all([import("../client/client.ts"), import("./give-back.ts")]);
  if (Atomics.load(states, 0) !== stuckAt) return;
  const { batch, inputs } = held;
  const taken = inputs.filter((_, at) => takeOne(states, batch, at));
  await giveBack(Client.usual(), taken, patienceMs);
  parentPort?.postMessage(taken, []);
}

parentPort?.on("message", (told: HeldAhead) => {
  held = told;
  begun = Atomics.load(states, 0);
  timer.refresh();
});
