/** A worker's lease: kept by anything that it says, and what becomes of its containers when it runs out. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { claimInputs } from "../../src/calls/claim.ts";
import { claimRequest, plantCall } from "../support/rows.ts";
import { hold, sessionScene, times } from "../support/session-scene.ts";

describe("a worker's lease", () => {
  it("is kept by anything that it says", async () => {
    await using it = await sessionScene();
    const container = await it.plant();
    const worker = it.worker();
    hold(worker, container);
    await it.join(worker);
    for (let i = 0; i < 5; i++) {
      await it.clock.advance(times.workerLease - 1);
      worker.renew();
      await it.settle();
    }
    assert.equal((await it.container(container.id))?.state, "ready");
  });

  it("runs out, and what its containers held goes back to the queue", async () => {
    await using it = await sessionScene();
    const { inputId } = await it.does((tx, context) => plantCall(tx, it.of, context));
    const container = await it.plant();
    const other = await it.plant({ workerId: "other" });
    await it.does((tx, context) => claimInputs(tx, claimRequest(container.id), context));
    const worker = it.worker();
    hold(worker, container);
    await it.join(worker);
    await it.clock.advance(times.workerLease - 1);
    assert.equal((await it.container(container.id))?.state, "ready");
    await it.clock.advance(1);
    assert.equal((await it.container(container.id))?.goneReason, "was lost: its worker was not heard of any more");
    assert.equal((await it.store.read((tx) => tx.inputs.get(inputId)))?.state, "queued");
    assert.equal((await it.container(other.id))?.state, "ready");
    assert.deepEqual(it.sessions.workers(), []);
    await worker.ended();
    assert.equal(worker.isConnected, false);
  });

  it("runs on while no session is open, and a worker that is back in time has lost nothing", async () => {
    await using it = await sessionScene();
    const container = await it.plant();
    const worker = it.worker();
    hold(worker, container);
    await it.join(worker);
    worker.drop();
    await it.clock.advance(times.workerLease - 1);
    await it.join(worker);
    await it.clock.advance(times.workerLease - 1);
    assert.equal((await it.container(container.id))?.state, "ready");
  });

  it("begins anew when the server does", async () => {
    await using it = await sessionScene();
    const container = await it.plant();
    await it.sessions.start();
    await it.clock.advance(times.workerLease - 1);
    assert.equal((await it.container(container.id))?.state, "ready");
    await it.clock.advance(1);
    assert.equal((await it.container(container.id))?.state, "gone");
  });
});

describe("a worker's lease in a race", () => {
  it("that runs out in the moment of a return does not take the containers away", async () => {
    const held = Promise.withResolvers<void>();
    let slow = false;
    await using it = await sessionScene((store) => ({
      ...store,
      write: async (unit) => {
        if (slow) {
          slow = false;
          await held.promise;
        }
        return store.write(unit);
      },
    }));
    const container = await it.plant();
    const worker = it.worker();
    hold(worker, container);
    await it.join(worker);
    worker.drop();
    slow = true; // the loss is about to be written
    await it.clock.advance(times.workerLease);
    await it.join(worker);
    held.resolve();
    await it.settle();
    assert.equal((await it.container(container.id))?.state, "ready");
  });
});
