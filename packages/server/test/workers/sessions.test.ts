/** What goes over a worker's session: assignments, news about containers, stops, logs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type MessageInitShape, create, fromBinary } from "@bufbuild/protobuf";
import { ContainerArgumentsSchema, worker as wire } from "@lydian/contract";

import { drain } from "../../src/containers/begin.ts";
import type { Container } from "../../src/domain/container.ts";
import { hold, said, sessionScene } from "../support/session-scene.ts";

const { RUNNING, GONE } = wire.ContainerState_Phase;

describe("an assignment", () => {
  it("carries all that the container needs", async () => {
    await using it = await sessionScene();
    const worker = it.worker();
    await it.join(worker);
    const container = await it.plant({ state: "assigned" });
    it.sessions.assign(container);
    await it.settle();
    const spec = worker.containers.get(container.id)?.spec;
    assert.equal(spec?.description, "app hello");
    assert.deepEqual([spec?.resources?.milliCpu, spec?.resources?.memoryMib], [100n, 128n]);
    const runner = spec?.runner?.kind;
    assert.ok(runner?.case === "python");
    assert.deepEqual([runner.value.python, runner.value.clientVersion], ["3.11", "1.6.4"]);
    const given = fromBinary(ContainerArgumentsSchema, runner.value.arguments);
    assert.deepEqual([given.taskId, given.functionId, given.appId], [container.id, it.of.id, it.of.appId]);
    assert.deepEqual([given.environmentName, given.functionDef?.functionName], ["main", "hello"]);
  });

  it("twice starts one container, also when the first has answered already", async () => {
    await using it = await sessionScene();
    const worker = it.worker();
    await it.join(worker);
    const container = await it.plant({ state: "assigned" });
    it.sessions.assign(container);
    it.sessions.assign(container);
    await it.settle();
    it.sessions.assign(container);
    await it.settle();
    assert.equal(worker.containers.size, 1);
    assert.equal((await it.container(container.id))?.state, "assigned");
  });

  it("that has become pointless is not sent, and the container is gone", async () => {
    await using it = await sessionScene();
    const worker = it.worker();
    await it.join(worker);
    const container = await it.plant({ state: "assigned" });
    await it.does((tx) => drain(tx, container.id, 0));
    it.sessions.assign(container);
    await it.settle();
    assert.equal(said(worker, "assign").length, 0);
    assert.equal((await it.container(container.id))?.state, "gone");
  });

  it("that cannot be specified fails, instead of waiting for ever", async () => {
    await using it = await sessionScene();
    await it.join(it.worker());
    const container = await it.plant({ state: "assigned", functionId: "fu-none" });
    it.sessions.assign(container);
    await it.settle();
    assert.match((await it.container(container.id))?.goneReason ?? "", /could not be started: its definition/);
  });

  it("that is made while the worker changes sessions reaches the new one", async () => {
    const open = Promise.withResolvers<void>();
    let slow = false;
    await using it = await sessionScene((store) => ({
      ...store,
      read: async (unit) => {
        if (slow) await open.promise;
        return store.read(unit);
      },
    }));
    const worker = it.worker();
    await it.join(worker);
    const container = await it.plant({ state: "assigned" });
    slow = true;
    it.sessions.assign(container);
    worker.drop();
    slow = false;
    const other = it.worker();
    await it.join(other);
    open.resolve();
    await it.settle();
    assert.equal(other.containers.has(container.id), true);
  });
});

describe("news about a container", () => {
  async function connected(state: Container["state"] = "assigned") {
    const it = await sessionScene();
    const container = await it.plant({ state });
    const worker = it.worker();
    hold(worker, container);
    await it.join(worker);
    const tell = async (changes: Partial<wire.ContainerState>): Promise<void> => {
      const { id: containerId, fence } = container;
      worker.send({ case: "containerState", value: { containerId, fence, phase: RUNNING, ...changes } });
      await it.settle();
    };
    return { ...it, id: container.id, holder: worker, tell };
  }

  it("moves it on", async () => {
    await using it = await sessionScene();
    const worker = it.worker();
    await it.join(worker);
    const container = await it.plant({ state: "assigned" });
    it.sessions.assign(container);
    await it.settle();
    assert.equal((await it.container(container.id))?.state, "assigned", "its files are laid out");
    worker.run(container.id);
    await it.settle();
    assert.equal((await it.container(container.id))?.state, "starting");
  });

  it("about its end is recorded once and released each time", async () => {
    await using it = await connected("ready");
    const exit = create(wire.ExitSchema, { reason: wire.Exit_Reason.OUT_OF_MEMORY });
    await it.tell({ phase: GONE, exit });
    await it.tell({ phase: GONE, exit });
    assert.equal((await it.container(it.id))?.goneReason, "ran out of memory");
    assert.equal(said(it.holder, "release").length, 2);
    assert.equal((await it.store.read((tx) => tx.functions.demand(it.of.id)))?.crashStreak, 1);
    assert.ok(it.cut.includes(it.id));
  });

  it("with another fence changes nothing", async () => {
    await using it = await connected();
    await it.tell({ fence: "older", phase: RUNNING });
    await it.tell({ fence: "older", phase: GONE });
    assert.equal((await it.container(it.id))?.state, "starting", "as its own worker has said");
  });

  it("of another worker changes nothing", async () => {
    await using it = await connected("ready");
    const stranger = it.worker({ id: "stranger" });
    await it.join(stranger);
    const { id: containerId, fence } = (await it.container(it.id)) ?? { id: "", fence: "" };
    stranger.send({ case: "containerState", value: { containerId, fence, phase: GONE } });
    await it.settle();
    assert.equal((await it.container(it.id))?.state, "ready");
  });

  it("about how it ended is understood in every form", async () => {
    const { Exit_Reason: Reason } = wire;
    const table: [MessageInitShape<typeof wire.ExitSchema>, string][] = [
      [{ reason: Reason.EXITED, code: 7 }, "exited with code 7"],
      [{ reason: Reason.SIGNALED, signal: "SIGABRT" }, "was killed by SIGABRT"],
      [{ reason: Reason.OUT_OF_MEMORY }, "ran out of memory"],
      [{ reason: Reason.STOPPED }, "was stopped"],
      [{ reason: Reason.FAILED_TO_START, message: "no python" }, "could not be started: no python"],
      [{ reason: Reason.LOST }, "was lost"],
      [{}, "was lost"],
    ];
    for (const [exit, expected] of table) {
      await using it = await connected("ready");
      await it.tell({ phase: GONE, exit: create(wire.ExitSchema, exit) });
      assert.equal((await it.container(it.id))?.goneReason, expected);
    }
  });
});

describe("a stop", () => {
  it("goes to the container's worker, with its fence", async () => {
    await using it = await sessionScene();
    const container = await it.plant();
    const worker = it.worker();
    hold(worker, container);
    await it.join(worker);
    it.sessions.stop(container, "test");
    await it.settle();
    const stop = said(worker, "stop")[0]?.message.value as wire.Stop;
    assert.deepEqual([stop.containerId, stop.fence, stop.graceMs > 0n], [container.id, container.fence, true]);
    assert.equal((await it.container(container.id))?.goneReason, "was stopped");
  });
});

describe("logs", () => {
  it("are acknowledged up to where they are on disk, also when they come twice", async () => {
    await using it = await sessionScene();
    const container = await it.plant();
    const worker = it.worker();
    hold(worker, container);
    await it.join(worker);
    const { id: containerId, fence } = container;
    const lines = [{ stream: wire.Logs_Stream.STDOUT, timeMs: 5n, data: new TextEncoder().encode("hello\n") }];
    const send = (offset: bigint, sentFence = fence): void =>
      worker.send({ case: "logs", value: { containerId, fence: sentFence, offset, endOffset: offset + 10n, lines } });
    send(0n);
    send(0n);
    send(50n);
    send(10n, "older");
    send(10n);
    while (said(worker, "logsAck").length < 4) await it.settle(); // files are written at their own pace
    const acknowledged = said(worker, "logsAck").map(({ message }) => (message.value as wire.LogsAck).endOffset);
    // What came together went to the disk together.
    assert.equal(acknowledged[0], 10n);
    assert.deepEqual([...new Set(acknowledged)], [10n, 20n]);
    assert.equal(acknowledged[3], 20n);
    assert.equal((await it.container(containerId))?.logOffset, 20);
  });
});

describe("what a container uses", () => {
  it("is told of the container that is there, as an average", async () => {
    await using it = await sessionScene();
    const worker = it.worker();
    await it.join(worker);
    const { id: containerId, fence } = await it.plant({ state: "ready" });
    const used = { cpuMicroseconds: 15_000_000n, overMs: 60_000n, memoryBytes: 256n * 1_048_576n };
    worker.send({ case: "usage", value: create(wire.UsageSchema, { containerId, fence: "another", ...used }) });
    worker.send({ case: "usage", value: create(wire.UsageSchema, { containerId, fence, ...used }) });
    await it.settle();
    const told = { kind: "containerUsed", functionId: it.of.id, containerId, at: it.clock.now() };
    assert.deepEqual(it.heard, [{ ...told, milliCpu: 250, memoryMib: 256 }]);
  });
});
