/** Workers' sessions: joins and what is mended at them, news about containers, leases; over a fake worker. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type MessageInitShape, create, fromBinary } from "@bufbuild/protobuf";
import { ContainerArgumentsSchema, worker as wire } from "@lydian/contract";
import { silentLogger } from "@lydian/kit";
import { FakeWorker, type FakeWorkerOptions } from "@lydian/testkit";

import { claimInputs } from "../../src/calls/claim.ts";
import { timesSchema } from "../../src/config.ts";
import { drain } from "../../src/containers/begin.ts";
import { demandBell } from "../../src/domain/bells.ts";
import type { Container } from "../../src/domain/container.ts";
import type { Store } from "../../src/domain/store.ts";
import { LogBook } from "../../src/logs/log-book.ts";
import { runSession } from "../../src/workers/session-stream.ts";
import { WorkerSessions } from "../../src/workers/sessions.ts";
import { doorSecret } from "../../src/workers/spec.ts";
import { assertInvariants } from "../support/invariants.ts";
import { countRings, testStore } from "../support/open-store.ts";
import { plantCall, plantContainer, plantFunction } from "../support/rows.ts";

const times = timesSchema.parse({});
const serverKey = new Uint8Array(32).fill(7);
const { PREPARING, RUNNING, GONE } = wire.ContainerState_Phase;

/** The server's side of sessions, with one function planted; `join` makes a worker and connects it. */
async function scene(wrap: (store: Store) => Store = (store) => store) {
  const test = await testStore();
  const of = await test.does((tx, context) => plantFunction(tx, context));
  const store = wrap(test.store);
  const shared = { ...test, store, log: silentLogger, times, serverKey };
  const sessions = new WorkerSessions(shared);
  const logBook = new LogBook({ folder: `${test.folder}/logs`, store: test.store, bells: test.bells });
  const cut: string[] = [];
  const deps = { ...shared, sessions, logBook, cutDoors: (id: string) => void cut.push(id) };
  const workers: FakeWorker[] = [];
  const open = (messages: AsyncIterable<wire.FromWorker>, signal: AbortSignal) => runSession(deps, messages, signal);
  const settle = (): Promise<void> => test.clock.settle();
  return {
    ...test,
    of,
    sessions,
    cut,
    open,
    settle,
    worker: (options?: FakeWorkerOptions): FakeWorker => {
      const made = new FakeWorker(options);
      workers.push(made);
      return made;
    },
    join: async (worker: FakeWorker): Promise<void> => {
      await worker.connect(open);
      await settle();
    },
    plant: (changes: Partial<Container> = {}): Promise<Container> =>
      test.does((tx, context) => plantContainer(tx, of, context, changes)),
    container: (id: string) => test.store.read((tx) => tx.containers.get(id)),
    async [Symbol.asyncDispose]() {
      for (const each of workers) each.drop();
      sessions.close();
      await settle();
      assert.equal(test.clock.pending, 0, "nothing is left behind");
      assertInvariants(test.file);
      await test[Symbol.asyncDispose]();
    },
  };
}

const said = (worker: FakeWorker, what: string): wire.ToWorker[] =>
  worker.received.filter(({ message }) => message.case === what);

/** Puts a container into the fake worker's hands as if it had been assigned earlier. */
function hold(worker: FakeWorker, { id, fence }: Pick<Container, "id" | "fence">): void {
  worker.containers.set(id, { id, fence, doorSecret: "", spec: undefined, phase: "running", exit: undefined });
}

describe("a join", () => {
  it("is welcomed with the lease, and makes the worker one to place on", async () => {
    await using it = await scene();
    const demand = countRings(it.bells, demandBell);
    const worker = it.worker({ milliCpu: 2_000, memoryMib: 512 });
    await it.settle();
    await it.join(worker);
    assert.deepEqual(worker.received[0]?.message.value, create(wire.WelcomeSchema, { leaseSeconds: 10n }));
    assert.deepEqual(it.sessions.workers(), [{ id: "local", capacity: { milliCpu: 2_000, memoryMib: 512 } }]);
    assert.equal(demand.count, 1);
    await demand.stop();
    worker.drop();
    await it.settle();
    assert.deepEqual(it.sessions.workers(), []);
  });

  it("must come first", async () => {
    await using it = await scene();
    async function* renewOnly() {
      yield create(wire.FromWorkerSchema, { message: { case: "renew", value: {} } });
    }
    const session = it.open(renewOnly(), new AbortController().signal)[Symbol.asyncIterator]();
    await assert.rejects(session.next(), /begins with Join/);
  });

  it("takes the place of an older session of the same worker", async () => {
    await using it = await scene();
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
    await using it = await scene();
    const { id, fence } = await it.plant({ state: "assigned" });
    const worker = it.worker();
    await it.join(worker);
    const first = worker.containers.get(id);
    assert.deepEqual([first?.fence, first?.doorSecret], [fence, doorSecret(serverKey, { id, fence })]);
    assert.equal((await it.container(id))?.state, "starting");
    await it.does(async (tx) => {
      const now = await tx.containers.get(id);
      if (now !== undefined) await tx.containers.update({ ...now, state: "assigned" }); // its answer was lost
    });
    worker.die();
    await it.join(worker);
    assert.equal(worker.containers.get(id)?.doorSecret, first?.doorSecret);
  });

  it("without a container that had started says that it is lost", async () => {
    await using it = await scene();
    const { inputId } = await it.does((tx, context) => plantCall(tx, it.of, context));
    const { id } = await it.plant();
    await it.does((tx, context) => claimInputs(tx, { containerId: id, atMost: 1, received: new Set() }, context));
    await it.join(it.worker());
    const gone = await it.container(id);
    assert.deepEqual([gone?.state, gone?.goneReason], ["gone", "was lost: its worker came back without it"]);
    assert.equal((await it.store.read((tx) => tx.inputs.get(inputId)))?.state, "queued");
    assert.deepEqual(it.cut, [id]);
  });

  it("with a container that should be there leaves it in peace", async () => {
    await using it = await scene();
    const container = await it.plant();
    const worker = it.worker();
    hold(worker, container);
    await it.join(worker);
    assert.deepEqual(
      worker.received.map(({ message }) => message.case),
      ["welcome"],
    );
    assert.equal((await it.container(container.id))?.state, "ready");
  });

  it("with a container that nobody wants stops it", async () => {
    await using it = await scene();
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
    await using it = await scene();
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
    await using it = await scene();
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

describe("an assignment", () => {
  it("carries all that the container needs", async () => {
    await using it = await scene();
    const worker = it.worker();
    await it.join(worker);
    const container = await it.plant({ state: "assigned" });
    it.sessions.assign(container);
    await it.settle();
    const spec = worker.containers.get(container.id)?.spec;
    assert.equal(spec?.description, "app hello");
    assert.deepEqual([spec?.resources?.milliCpu, spec?.resources?.memoryMib], [100n, 128n]);
    const python = spec?.runner?.kind.value;
    assert.deepEqual([python?.python, python?.clientVersion], ["3.11", "1.6.4"]);
    const given = fromBinary(ContainerArgumentsSchema, python?.arguments ?? new Uint8Array());
    assert.deepEqual([given.taskId, given.functionId, given.appId], [container.id, it.of.id, it.of.appId]);
    assert.deepEqual([given.environmentName, given.functionDef?.functionName], ["main", "hello"]);
  });

  it("twice starts one container, also when the first has answered already", async () => {
    await using it = await scene();
    const worker = it.worker();
    await it.join(worker);
    const container = await it.plant({ state: "assigned" });
    it.sessions.assign(container);
    it.sessions.assign(container);
    await it.settle();
    it.sessions.assign(container);
    await it.settle();
    assert.equal(worker.containers.size, 1);
    assert.equal((await it.container(container.id))?.state, "starting");
  });

  it("that has become pointless is not sent, and the container is gone", async () => {
    await using it = await scene();
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
    await using it = await scene();
    await it.join(it.worker());
    const container = await it.plant({ state: "assigned", functionId: "fu-none" });
    it.sessions.assign(container);
    await it.settle();
    assert.match((await it.container(container.id))?.goneReason ?? "", /could not be started: its definition/);
  });

  it("that is made while the worker changes sessions reaches the new one", async () => {
    const open = Promise.withResolvers<void>();
    let slow = false;
    await using it = await scene((store) => ({
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
    const it = await scene();
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
    await using it = await connected();
    await it.tell({ phase: PREPARING });
    assert.equal((await it.container(it.id))?.state, "starting");
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

describe("a worker's lease", () => {
  it("is kept by anything that it says", async () => {
    await using it = await scene();
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
    await using it = await scene();
    const { inputId } = await it.does((tx, context) => plantCall(tx, it.of, context));
    const container = await it.plant();
    const other = await it.plant({ workerId: "other" });
    await it.does((tx, context) =>
      claimInputs(tx, { containerId: container.id, atMost: 1, received: new Set() }, context),
    );
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
    await using it = await scene();
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
    await using it = await scene();
    const container = await it.plant();
    await it.sessions.start();
    await it.clock.advance(times.workerLease - 1);
    assert.equal((await it.container(container.id))?.state, "ready");
    await it.clock.advance(1);
    assert.equal((await it.container(container.id))?.state, "gone");
  });
});

describe("a worker's lease", () => {
  it("that runs out in the moment of a return does not take the containers away", async () => {
    const held = Promise.withResolvers<void>();
    let slow = false;
    await using it = await scene((store) => ({
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

describe("a stop", () => {
  it("goes to the container's worker, with its fence", async () => {
    await using it = await scene();
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
    await using it = await scene();
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
    assert.deepEqual(acknowledged, [10n, 10n, 10n, 20n]);
    assert.equal((await it.container(containerId))?.logOffset, 20);
  });
});
