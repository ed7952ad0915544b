/**
 * Random sequences of everything that can happen: after every event the database is sound and no input has changed as it
 * may not, and in the end every accepted input has exactly one output, which is its own, after as many attempts as its
 * function allows. A failure names its seed; the same seed gives the same events.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type FunctionGetOutputsItem, GenericResult_GenericStatus as Status } from "@lydian/contract";

import { retriesOf, watchAudit } from "../support/audit.ts";
import { Chaos, type MadeCall, mostContainers } from "../support/chaos.ts";
import { Watch } from "../support/invariants.ts";
import { type World, rpc } from "../support/world.ts";

/** Two of each kind of function. */
const seeds = (process.env["LYDIAN_SEEDS"] ?? "1,2,3,4,5,6,7,8,9,10").split(",").map(Number);
const stepsOfEach = 200;

/** Rounds of a second in which everything goes well: more than any deadline that may still be open. */
const mostRounds = 600;

for (const seed of seeds) {
  test(`${stepsOfEach} random events lose no input and answer none twice (seed ${seed})`, async () => {
    await using chaos = await Chaos.begin(seed);
    const { world } = chaos;
    using audit = watchAudit(world.file);
    using limits = new Watch(world.file, { [`no more than ${mostContainers} containers`]: tooMany });
    try {
      await world.join();
      for (let i = 0; i < stepsOfEach; i++) {
        await chaos.step();
        world.check(`after step ${i}`);
        audit.assert(`at step ${i}`);
        limits.assert(`after step ${i}`);
        await assertTimely(chaos);
      }
      for (let i = 0; i < mostRounds && !(await isQuiet(chaos)); i++) await chaos.heal();
      assert.deepEqual(await world.counts(), { queued: 0, claimed: 0, delayed: 0, held: 0, unfinished: 0 });
      world.check("in the end");
      audit.assert("in the end");
      const values = await assertOutputs(chaos);
      assert.ok(chaos.calls.length > 5, "calls were made");
      assert.ok(values > 0, "some of them went well");
    } catch (error) {
      const last = chaos.history.slice(-25).join("\n  ");
      throw new Error(`seed ${seed}, after ${chaos.history.length} events, the last of them:\n  ${last}`, {
        cause: error,
      });
    }
  });
}

async function isQuiet({ world, calls }: Chaos): Promise<boolean> {
  const { queued, claimed, delayed } = await world.counts();
  return queued + claimed + delayed === 0 && calls.every(({ isOpen }) => !isOpen);
}

/** The function has no more containers than it may. */
const tooMany = `SELECT count(*) AS alive FROM containers WHERE state <> 'gone' HAVING alive > ${mostContainers}`;

/** Whatever its containers do, a call that was cancelled ends, and so does an attempt that runs too long. */
async function assertTimely({ overdue, allEndedBefore, world }: Chaos): Promise<void> {
  const { store } = await world.server();
  const running = await store.read((tx) => tx.inputs.claimed());
  for (const { id, claimedAt = 0 } of running) assert.ok(claimedAt > allEndedBefore, `${id} runs for too long`);
  const calls = await store.read((tx) => Promise.all(overdue.map(({ id }) => tx.calls.get(id))));
  for (const call of calls) if (call !== undefined) assert.equal(call.state, "finished", `${call.id} was cancelled`);
}

/** Each input has one output, which its function's policy allows; answers how many have a value. */
async function assertOutputs(chaos: Chaos): Promise<number> {
  let values = 0;
  for (const call of chaos.calls) {
    const outputs = await outputsOf(chaos.world, call.id);
    assert.deepEqual(
      outputs.map(({ idx }) => idx).toSorted((a, b) => a - b),
      call.texts.map((_, index) => index),
      `${call.id} has one output for each input`,
    );
    for (const output of outputs) values += assertOutput(chaos, call, output) ? 1 : 0;
    const { store } = await chaos.world.server();
    const chunks = await store.read((tx) => tx.chunks.after(call.id, 0, 1_000_000));
    for (const { data } of chunks) assert.deepEqual(data, new TextEncoder().encode(`of ${call.id}`));
  }
  return values;
}

function assertOutput(
  { failures, world }: Chaos,
  call: MadeCall,
  { idx, inputId, result }: FunctionGetOutputsItem,
): boolean {
  const { status, exception = "", dataOneof } = result ?? {};
  const { failed, last } = retriesOf(world.file, inputId);
  const raised = status === Status.FAILURE && exception === "it raised";
  assert.equal(failures.get(inputId) ?? 0, failed + (raised ? 1 : 0), `failures of ${inputId} that were said`);
  switch (status) {
    case Status.SUCCESS:
      assert.equal(new TextDecoder().decode(dataOneof?.value as Uint8Array), call.texts[idx]);
      return true;
    case Status.TERMINATED:
      assert.notEqual(call.cancelledAt, undefined, `${inputId} was not cancelled`);
      return false;
    case Status.TIMEOUT:
      assert.match(exception, /ran longer than/);
      assert.ok(last.failures >= last.retries, `${inputId} could have been tried again`);
      return false;
    default:
      if (raised) assert.ok(last.failures >= last.retries, `${inputId} could have been tried again`);
      else assert.match(exception, /container/);
      return false;
  }
}

/** As a client that asks for all of a call's outputs. */
async function outputsOf(world: World, functionCallId: string): Promise<FunctionGetOutputsItem[]> {
  const all: FunctionGetOutputsItem[] = [];
  for (let lastEntryId = "0-0"; ;) {
    const reply = await world.asUser(rpc.functionGetOutputs, { functionCallId, lastEntryId, timeout: 0, maxValues: 2 });
    if (reply.outputs.length === 0) return all;
    all.push(...reply.outputs);
    lastEntryId = reply.lastEntryId;
  }
}
