/** A worker joins: it is welcomed, and what both sides think of its containers is mended. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { create } from "@bufbuild/protobuf";
import { worker as wire } from "@lydian/contract";

import { claimInputs } from "../../src/calls/claim.ts";
import { demandBell } from "../../src/domain/bells.ts";
import { doorSecret } from "../../src/workers/spec.ts";
import { countRings } from "../support/open-store.ts";
import { claimRequest, plantCall } from "../support/rows.ts";
import { hold, said, serverKey, sessionScene } from "../support/session-scene.ts";

const { GONE } = wire.ContainerState_Phase;

describe("a join", () => {
  it("is welcomed with the lease, and makes the worker one to place on", async () => {
    await using it = await sessionScene();
    const demand = countRings(it.bells, demandBell);
    const place = { gpus: [{ kind: "H100", count: 2 }], labels: { region: "us-east-1" } };
    const worker = it.worker({ milliCpu: 2_000, memoryMib: 512, ...place });
    await it.settle();
    await it.join(worker);
    assert.deepEqual(worker.received[0]?.message.value, create(wire.WelcomeSchema, { leaseSeconds: 10n }));
    assert.deepEqual(it.sessions.workers(), [
      { id: "local", capacity: { milliCpu: 2_000, memoryMib: 512 }, images: new Set(), mountsBuckets: false, ...place },
    ]);
    assert.equal(demand.count, 1);
    await demand.stop();
    worker.drop();
    await it.settle();
    assert.deepEqual(it.sessions.workers(), []);
  });

  it("must come first", async () => {
    await using it = await sessionScene();
    async function* renewOnly() {
      yield create(wire.FromWorkerSchema, { message: { case: "renew", value: {} } });
    }
    const session = it.open(renewOnly(), new AbortController().signal)[Symbol.asyncIterator]();
    await assert.rejects(session.next(), /begins with Join/);
  });

  it("takes the place of an older session of the same worker", async () => {
    await using it = await sessionScene();
    const [older, newer] = [it.worker(), it.worker({ milliCpu: 77 })];
    await it.join(older);
    await it.join(newer);
    await older.ended();
    assert.equal(older.isConnected, false);
    assert.deepEqual(
      it.sessions.workers().map(({ capacity }) => capacity.milliCpu),
      [77],
    );
    await it.settle();
    assert.equal(it.sessions.workers().length, 1, "the older one's end does not end the newer one");
  });
});

describe("a join mends what both sides think of the containers: it", () => {
  it("brings what was assigned and did not arrive: again with the same fence and secret", async () => {
    await using it = await sessionScene();
    const { id, fence } = await it.plant({ state: "assigned" });
    const worker = it.worker();
    await it.join(worker);
    const first = worker.containers.get(id);
    assert.deepEqual([first?.fence, first?.doorSecret], [fence, doorSecret(serverKey, { id, fence })]);
    worker.die(); // before its process was started: nothing is lost
    await it.join(worker);
    assert.equal(worker.containers.get(id)?.doorSecret, first?.doorSecret);
    assert.equal((await it.container(id))?.state, "assigned");
  });

  it("hears of a process that was started while there was no session", async () => {
    await using it = await sessionScene();
    const container = await it.plant({ state: "assigned" });
    const worker = it.worker();
    hold(worker, container);
    await it.join(worker);
    assert.equal((await it.container(container.id))?.state, "starting");
  });

  it("without a container that had started says that it is lost", async () => {
    await using it = await sessionScene();
    const { inputId } = await it.does((tx, context) => plantCall(tx, it.of, context));
    const { id } = await it.plant();
    await it.does((tx, context) => claimInputs(tx, claimRequest(id), context));
    await it.join(it.worker());
    const gone = await it.container(id);
    assert.deepEqual([gone?.state, gone?.goneReason], ["gone", "was lost: its worker came back without it"]);
    assert.equal((await it.store.read((tx) => tx.inputs.get(inputId)))?.state, "queued");
    assert.deepEqual(it.cut, [id]);
  });

  it("with a container that should be there only says again that it is ready", async () => {
    await using it = await sessionScene();
    const container = await it.plant();
    const worker = it.worker();
    hold(worker, container);
    await it.join(worker);
    assert.deepEqual(
      worker.received.map(({ message }) => message.case),
      ["welcome", "ready"],
    );
    assert.equal((await it.container(container.id))?.state, "ready");
  });

  it("with a container that nobody wants stops it", async () => {
    await using it = await sessionScene();
    const gone = await it.plant({ state: "gone", goneAt: 1, goneReason: "x" });
    const worker = it.worker();
    hold(worker, { id: "ta-9", fence: "unknown" });
    hold(worker, gone);
    await it.join(worker);
    assert.equal(said(worker, "stop").length, 2);
    await it.settle();
    assert.deepEqual([...worker.containers], [], "it ended, and was released");
  });

  it("with an older assignment of a container ends the present one, and the older one, too", async () => {
    await using it = await sessionScene();
    const { id } = await it.plant({ fence: "new" });
    const worker = it.worker();
    hold(worker, { id, fence: "old" });
    await it.join(worker);
    assert.equal((await it.container(id))?.state, "gone");
    assert.deepEqual(
      said(worker, "stop").map(({ message }) => (message.value as wire.Stop).fence),
      ["old"],
    );
  });
});

describe("a join with news", () => {
  it("of the end of a container records and releases it", async () => {
    await using it = await sessionScene();
    const { id: containerId, fence } = await it.plant();
    const exit = { reason: wire.Exit_Reason.EXITED, code: 3 };
    const join = { workerId: "local", adopted: [{ containerId, fence, phase: GONE, exit }] };
    async function* messages() {
      yield create(wire.FromWorkerSchema, { message: { case: "join", value: join } });
    }
    const answers: (string | undefined)[] = [];
    for await (const { message } of it.open(messages(), new AbortController().signal)) answers.push(message?.case);
    assert.deepEqual(answers, ["welcome", "release"]);
    assert.equal((await it.container(containerId))?.goneReason, "exited with code 3");
  });
});
