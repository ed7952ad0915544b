/**
 * A call at whose every step something dies: the server before and after each of its commits, the worker's session with
 * and without the containers, the container itself; and a client that repeats its request. Always one result arrives.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";

import { worker as wire } from "@lydian/contract";
import { sleep } from "@lydian/kit";

import { Stage, type Interruption, type Step, answerTo, steps } from "../support/actors.ts";
import type { Fault } from "../support/server-process.ts";
import { rpc } from "../support/world.ts";

/** Makes one call, and holds that exactly one right result arrives and that nothing is left of it but that. */
async function callThrough(stage: Stage, argument: string, patienceMs: number): Promise<number> {
  const { world } = stage;
  const happens = stage.call(argument);
  const tookMs = await world.until(happens, patienceMs);
  const outputs = await happens;
  assert.equal(outputs.length, 1);
  const data = outputs[0]?.result?.dataOneof.value ?? new Uint8Array();
  assert.equal(new TextDecoder().decode(data as Uint8Array), answerTo(argument));
  await world.clock.settle();
  world.check("after the answer");
  assert.deepEqual(await world.counts(), { queued: 0, claimed: 0, delayed: 0, held: 0, unfinished: 0 });
  assert.deepEqual(rows(world.file), { calls: 1, inputs: 1, outputs: 1 });
  return tookMs;
}

/** However often anything was repeated, there is one of each. */
function rows(file: string): Record<string, unknown> {
  const database = new DatabaseSync(file, { readOnly: true });
  const count = (table: string): unknown => database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"];
  const found = { calls: count("calls"), inputs: count("inputs"), outputs: count("outputs") };
  database.close();
  return found;
}

/** How many commits a call takes from its acceptance to its acknowledgement, the worker's join included. */
async function commitsOfOneCall(): Promise<{ from: number; to: number }> {
  await using stage = await Stage.set();
  const server = await quietServer(stage);
  const from = server.writes + 1;
  await callThrough(stage, "world", 0);
  // Bells ring before the disk is waited for: the client may have its answer before the container has its own.
  const inOrder = stage.reached.toSorted((a, b) => steps.indexOf(a) - steps.indexOf(b));
  assert.deepEqual(inOrder, steps);
  return { from, to: server.writes };
}

/** The server when what the stage was set by is written: its disk is a real one, which the clock knows nothing of. */
async function quietServer({ world }: Stage): ReturnType<Stage["world"]["server"]> {
  const server = await world.server();
  for (let writes = -1; writes !== server.writes;) {
    writes = server.writes;
    await world.clock.settle();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return server;
}

describe("a call survives that the server is killed", async () => {
  const { from, to } = await commitsOfOneCall();
  const faults = Array.from({ length: to - from + 1 }, (_, i) => from + i).flatMap((write): Fault[] => [
    { write, when: "before" },
    { write, when: "after" },
  ]);
  assert.ok(faults.length >= 14, "a call takes seven commits at least");
  for (const fault of faults) {
    it(`${fault.when} its commit ${fault.write - from + 1} of ${to - from + 1}`, async () => {
      await using stage = await Stage.set();
      const first = await quietServer(stage);
      first.fault = { ...fault, write: first.writes + 1 + fault.write - from };
      const tookMs = await callThrough(stage, "world", 1_000);
      assert.equal(tookMs, 0, "nobody has to wait for a time to be up");
      await stage.world.clock.settle();
      assert.equal(first.isDead, true);
    });
  }

  it("again and again, at every commit of every life", async () => {
    await using stage = await Stage.set();
    await stage.world.clock.settle();
    const mortal = async (): Promise<void> => {
      for (let write = 1; write <= 8; write++) {
        const server = await stage.world.server();
        server.fault = { write: server.writes + write, when: write % 2 === 0 ? "before" : "after" };
        await new Promise<void>((resolve) => server.death.addEventListener("abort", () => resolve(), { once: true }));
      }
    };
    void mortal();
    await callThrough(stage, "world", 1_000);
  });
});

/** What happens at a step, and how long a call may then take by the clock. */
const interruptions: Record<string, { act: Interruption; patienceMs: number; from?: Step }> = {
  "the worker's session breaks": {
    act: ({ world }) => world.worker.drop(),
    patienceMs: 0,
  },
  "the worker's host is lost, and it comes back without the container": {
    act: (stage) => stage.loseHost(),
    patienceMs: 0,
  },
  "the container crashes": {
    act: (stage, id) => stage.end(id, { reason: wire.Exit_Reason.SIGNALED, signal: "SIGSEGV" }),
    patienceMs: 0,
    from: "assigned",
  },
  "the container is lost without a trace": {
    act: (stage, id) => stage.end(id, { reason: wire.Exit_Reason.LOST }),
    patienceMs: 0,
    from: "assigned",
  },
  "the server dies and the worker's host with it": {
    act: async (stage) => {
      (await stage.world.server()).kill();
      stage.loseHost();
    },
    patienceMs: 0,
  },
};

for (const [what, { act, patienceMs, from = "accepted" }] of Object.entries(interruptions)) {
  describe(`a call survives that ${what}`, () => {
    for (const step of steps.slice(steps.indexOf(from), steps.indexOf("answered"))) {
      it(`when it is ${step}`, async () => {
        await using stage = await Stage.set();
        let happened = false;
        stage.interrupt(step, async (...where) => {
          happened = true;
          await act(...where);
        });
        await callThrough(stage, "world", patienceMs);
        assert.equal(happened, true);
      });
    }
  });
}

describe("a call whose client repeats its request", () => {
  for (const step of steps) {
    it(`when it is ${step} is one call`, async () => {
      await using stage = await Stage.set();
      const key = stage.world.newKey();
      let again: string | undefined;
      stage.interrupt(step, async ({ world }) => {
        again = await world.submit("world", key);
      });
      const happens = stage.call("world", key);
      await stage.world.until(happens, 0);
      const [output, ...more] = await happens;
      assert.deepEqual(more, []);
      const { functionCallId, numInputs } = await stage.world.asUser(rpc.functionCallFromId, {
        functionCallId: again ?? "",
      });
      assert.deepEqual([functionCallId, numInputs], [again, 1]);
      assert.ok(output?.inputId.startsWith("in-"));
      await stage.world.clock.settle();
      stage.world.check("after the answer");
      assert.deepEqual(rows(stage.world.file), { calls: 1, inputs: 1, outputs: 1 });
    });
  }
});

describe("a worker that stays away for longer than its lease", () => {
  /** At this step, for this long; the container goes on with what it does once that long has passed. */
  async function awayAt(step: Step, awayMs: number, busyMs: number) {
    const stage = await Stage.set();
    let holder = "";
    stage.interrupt(step, async ({ world }, id) => {
      holder = id;
      stage.stayAway(awayMs);
      world.worker.drop();
      await sleep(world.clock, busyMs);
    });
    return { stage, holder: () => holder };
  }

  it("loses the call to another container, and the late output of the first counts for nothing", async () => {
    const { stage, holder } = await awayAt("computed", 15_000, 12_000);
    await using _ = stage;
    const tookMs = await callThrough(stage, "world", 20_000);
    assert.ok(tookMs >= 15_000 && tookMs < 16_000, `${tookMs} ms`);
    const { store } = await stage.world.server();
    const first = await store.read((tx) => tx.containers.get(holder()));
    assert.equal(first?.goneReason, "was lost: its worker was not heard of any more");
    assert.equal(first?.finished, 0);
    assert.equal(stage.world.worker.containers.has(holder()), false, "it has ended, and was released");
  });

  it("loses nothing when it is back in time", async () => {
    const { stage, holder } = await awayAt("computed", 8_000, 9_000);
    await using _ = stage;
    const tookMs = await callThrough(stage, "world", 20_000);
    assert.ok(tookMs >= 9_000 && tookMs < 10_000, `${tookMs} ms`);
    const { store } = await stage.world.server();
    assert.equal((await store.read((tx) => tx.containers.get(holder())))?.finished, 1);
  });
});
