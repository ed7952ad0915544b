/** Outputs: from who holds the input, once; and those that the platform writes itself. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";
import { GenericResultSchema, GenericResult_GenericStatus as Status } from "@lydian/contract";

import { claimInputs } from "../../src/calls/claim.ts";
import { type Completion, completeInputs } from "../../src/calls/complete.ts";
import { failUnfinished } from "../../src/calls/sweep.ts";
import { failureResult } from "../../src/calls/result.ts";
import { transition } from "../../src/calls/transition.ts";
import { endContainer } from "../../src/containers/end.ts";
import { callBell, idleBell } from "../../src/domain/bells.ts";
import type { Context } from "../../src/domain/context.ts";
import type { FunctionRecord } from "../../src/domain/function.ts";
import { noRetries } from "../../src/domain/retry.ts";
import type { Tx } from "../../src/domain/store.ts";
import { type TestStore, countRings, testStore } from "../support/open-store.ts";
import {
  claimRequest,
  completion,
  failed,
  plantCall,
  plantContainer,
  plantFunction,
  plantMap,
  success,
} from "../support/rows.ts";

/** A call whose input a container holds, and another container. */
async function scene(test: TestStore) {
  return await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const { callId, inputId } = await plantCall(tx, of, context);
    const { id: holder } = await plantContainer(tx, of, context);
    const { id: other } = await plantContainer(tx, of, context);
    await claimInputs(tx, claimRequest(holder), context);
    return { of, callId, inputId, holder, other };
  });
}

const complete = (test: TestStore, containerId: string, inputId: string, value: string, attempt = 1) =>
  test.does((tx, context) =>
    completeInputs(tx, containerId, [completion(inputId, { attempt, result: success(value) })], context),
  );

/** A call of three inputs: one that a container has, one that waits for its next attempt, one that waits. */
async function inThreeStates(tx: Tx, of: FunctionRecord, context: Context) {
  const { id: containerId } = await plantContainer(tx, of, context);
  const { callId, inputIds } = await plantMap(tx, of, context, 3);
  for (const id of inputIds.slice(0, 2)) {
    const input = await tx.inputs.get(id);
    if (input !== undefined) await transition(tx, input, { kind: "claim", containerId }, context);
  }
  const raised = await tx.inputs.get(inputIds[1] ?? "");
  const retry = { ...noRetries, retries: 1 };
  const report = { kind: "report", containerId, attempt: 1, outcome: "failure", retry } as const;
  if (raised !== undefined) await transition(tx, raised, report, context);
  return { callId, inputIds };
}

const outputs = (test: TestStore, callId: string) => test.store.read((tx) => tx.outputs.after(callId, 0, 10));

describe("an output of a container", () => {
  it("finishes the input and the call, frees the container, and wakes who waits", async () => {
    await using test = await testStore();
    const { of, callId, inputId, holder } = await scene(test);
    const waiting = countRings(test.bells, callBell(callId));
    await test.clock.advance(1_000);
    await complete(test, holder, inputId, "value");
    const [output] = await outputs(test, callId);
    assert.deepEqual(output?.result, success("value").bytes);
    assert.deepEqual(
      [output?.inputId, output?.containerId, output?.startedAt, output?.createdAt],
      [inputId, holder, test.clock.now() - 1_000, test.clock.now()],
    );
    const [call, demand, container] = await test.store.read(async (tx) => [
      await tx.calls.get(callId),
      await tx.functions.demand(of.id),
      await tx.containers.get(holder),
    ]);
    assert.deepEqual([call?.state, call?.unfinished, call?.finishedAt], ["finished", 0, test.clock.now()]);
    assert.deepEqual([demand?.queued, demand?.claimed], [0, 0]);
    assert.deepEqual([container?.held, container?.finished, container?.idleSince], [0, 1, test.clock.now()]);
    await test.clock.settle();
    assert.equal(waiting.count, 1);
    await waiting.stop();
  });

  it("counts once, however often it is said", async () => {
    await using test = await testStore();
    const { callId, inputId, holder } = await scene(test);
    await complete(test, holder, inputId, "first");
    await complete(test, holder, inputId, "second");
    const found = await outputs(test, callId);
    assert.deepEqual(
      found.map(({ result }) => result),
      [success("first").bytes],
    );
  });

  it("counts once, also when it is said twice in one request", async () => {
    await using test = await testStore();
    const { callId, inputId, holder } = await scene(test);
    const twice = ["first", "second"].map((value) => completion(inputId, { result: success(value) }));
    const released = await test.does((tx, context) => completeInputs(tx, holder, twice, context));
    assert.deepEqual(released, [inputId]);
    const found = await outputs(test, callId);
    assert.deepEqual(
      found.map(({ result }) => result),
      [success("first").bytes],
    );
  });
});

describe("an output of a container that does not hold its input", () => {
  it("changes nothing when it is of an earlier attempt, though the container has the input again", async () => {
    await using test = await testStore();
    const { callId, inputId, holder } = await scene(test);
    await test.does(async (tx, context) => {
      const input = await tx.inputs.get(inputId);
      if (input === undefined) throw new Error("no input");
      const stopped = { kind: "stop", failure: { status: "timeout", message: "x" } } as const;
      const asked = (await transition(tx, input, stopped, context)) ?? input;
      const retry = { ...noRetries, retries: 1, initialMs: 0 };
      const delayed = (await transition(tx, asked, { kind: "giveUp", retry }, context)) ?? asked;
      await transition(tx, delayed, { kind: "wake" }, context);
      await claimInputs(tx, claimRequest(holder), context);
    });
    assert.deepEqual(await complete(test, holder, inputId, "stale", 1), []);
    assert.deepEqual(await outputs(test, callId), []);
    assert.deepEqual(await complete(test, holder, inputId, "right", 2), [inputId]);
  });

  it("changes nothing when it comes from one that does not hold the input", async () => {
    await using test = await testStore();
    const { callId, inputId, holder, other } = await scene(test);
    await complete(test, other, inputId, "stranger's");
    assert.deepEqual(await outputs(test, callId), []);
    await complete(test, holder, inputId, "holder's");
    assert.equal((await outputs(test, callId)).length, 1);
  });

  it("changes nothing when its container is gone and another has the input", async () => {
    await using test = await testStore();
    const { callId, inputId, holder, other } = await scene(test);
    await test.does((tx, context) => endContainer(tx, holder, { reason: "lost" }, context));
    await complete(test, holder, inputId, "late");
    assert.deepEqual(await outputs(test, callId), []);
    await test.does((tx, context) => claimInputs(tx, claimRequest(other), context));
    await complete(test, holder, inputId, "late");
    await complete(test, other, inputId, "right", 2);
    assert.deepEqual(
      (await outputs(test, callId)).map(({ result }) => result),
      [success("right").bytes],
    );
  });
});

describe("an output of a container also", () => {
  it("ends the function's streak of crashes", async () => {
    await using test = await testStore();
    const { of, inputId, holder } = await scene(test);
    await test.does((tx) => tx.functions.setCrashes(of.id, 2, 99));
    await complete(test, holder, inputId, "value");
    const demand = await test.store.read((tx) => tx.functions.demand(of.id));
    assert.deepEqual([demand?.crashStreak, demand?.notBefore], [0, 0]);
  });

  it("keeps a container busy that holds more", async () => {
    await using test = await testStore();
    const { of, inputId, holder } = await scene(test);
    await test.does(async (tx, context) => {
      await plantCall(tx, of, context);
      await claimInputs(tx, claimRequest(holder, { received: new Set([inputId]) }), context);
    });
    await test.clock.advance(1_000);
    await complete(test, holder, inputId, "value");
    const container = await test.store.read((tx) => tx.containers.get(holder));
    assert.deepEqual([container?.held, container?.idleSince], [1, test.clock.now() - 1_000]);
  });
});

describe("code that raised", () => {
  const retry = { retries: 2, initialMs: 1_000, factor: 2, maxMs: 60_000 };
  const plant = (test: TestStore) =>
    test.does(async (tx, context) => {
      const of = await plantFunction(tx, context, { policy: { retry } });
      const { callId, inputId } = await plantCall(tx, of, context);
      const { id } = await plantContainer(tx, of, context);
      return { of, callId, inputId, id };
    });

  it("is tried again after its delays, as often as it may be, and then its own words are the output", async () => {
    await using test = await testStore();
    const { of, callId, inputId, id } = await plant(test);
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 3; attempt++) {
      const found = await test.does(async (tx, context) => {
        const input = await tx.inputs.get(inputId);
        if (input?.state === "delayed") await transition(tx, input, { kind: "wake" }, context);
        await claimInputs(tx, claimRequest(id), context);
        assert.deepEqual(await completeInputs(tx, id, [failed(inputId, { attempt })], context), [inputId]);
        return { input: await tx.inputs.get(inputId), demand: await tx.functions.demand(of.id) };
      });
      assert.deepEqual([found.demand?.queued, found.demand?.claimed], [0, 0]);
      assert.equal(found.demand?.delayed, attempt < 3 ? 1 : 0);
      const delayMs = (found.input?.dueAt ?? test.clock.now()) - test.clock.now();
      delays.push(delayMs);
      await test.clock.advance(delayMs);
    }
    assert.deepEqual(delays, [1_000, 2_000, 0]);
    const [output, ...more] = await outputs(test, callId);
    assert.deepEqual(more, []);
    const result = fromBinary(GenericResultSchema, output?.result ?? new Uint8Array());
    assert.deepEqual([result.status, result.exception], [Status.FAILURE, "it raised"]);
  });

  it("does not end a streak of crashes while it is tried again: no input was finished", async () => {
    await using test = await testStore();
    const { of, inputId, id } = await plant(test);
    await test.does(async (tx, context) => {
      await tx.functions.setCrashes(of.id, 2, 99);
      await claimInputs(tx, claimRequest(id), context);
      await completeInputs(tx, id, [failed(inputId)], context);
    });
    assert.equal((await test.store.read((tx) => tx.functions.demand(of.id)))?.crashStreak, 2);
  });
});

describe("a batch that was stopped for the sake of one of its inputs", () => {
  /** Two containers with three inputs each, of which one is to be cancelled. */
  async function twoBatches(test: TestStore, cancelled: number, batchSize = 3) {
    const { batches, containerIds } = await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context, { policy: { batchSize, maxConcurrency: 3 } });
      const { inputIds } = await plantMap(tx, of, context, 6);
      const containerIds = [(await plantContainer(tx, of, context)).id, (await plantContainer(tx, of, context)).id];
      for (const id of containerIds) await claimInputs(tx, claimRequest(id, { atMost: 3 }), context);
      const input = await tx.inputs.get(inputIds[cancelled] ?? "");
      const failure = { status: "terminated", message: "The call was cancelled." } as const;
      if (input !== undefined) await transition(tx, input, { kind: "stop", failure }, context);
      return { batches: [inputIds.slice(0, 3), inputIds.slice(3)], containerIds };
    });
    const say = (who: number, which: readonly number[], outcome: Completion["outcome"] = "terminated") =>
      test.does((tx, context) => {
        const said = which.map((index) => completion(batches.flat()[index] ?? "", { outcome }));
        return completeInputs(tx, containerIds[who] ?? "", said, context);
      });
    const states = (who: number) =>
      test.store.read((tx) =>
        Promise.all((batches[who] ?? []).map(async (inputId) => (await tx.inputs.get(inputId))?.state)),
      );
    return { say, states, inputIds: batches.flat() };
  }

  it("has the others run again, which is no failure of theirs", async () => {
    await using test = await testStore();
    const { say, states, inputIds } = await twoBatches(test, 1);
    assert.deepEqual((await say(0, [0, 1, 2])).toSorted(), inputIds.slice(0, 3).toSorted());
    assert.deepEqual(await states(0), ["queued", "done", "queued"]);
    const input = await test.store.read((tx) => tx.inputs.get(inputIds[0] ?? ""));
    assert.deepEqual([input?.failures, input?.crashes], [0, 0]);
    assert.deepEqual(await states(1), ["claimed", "claimed", "claimed"]);
  });

  for (const requests of [
    [[0], [1, 2]],
    [[1], [0, 2]],
    [[2, 0], [1]],
  ]) {
    it(`has them run again also when that is said in several requests: ${JSON.stringify(requests)}`, async () => {
      await using test = await testStore();
      const { say, states } = await twoBatches(test, 1);
      for (const which of requests) await say(0, which);
      assert.deepEqual(await states(0), ["queued", "done", "queued"]);
    });
  }

  it("that was finished all the same is finished", async () => {
    await using test = await testStore();
    const { say, states } = await twoBatches(test, 1);
    await say(0, [0, 1, 2], "success");
    assert.deepEqual(await states(0), ["done", "done", "done"]);
  });

  it("is one only where the container has that input: a stranger's is no reason", async () => {
    await using test = await testStore();
    const { say, states } = await twoBatches(test, 1);
    await say(1, [1, 3, 4, 5]);
    assert.deepEqual(
      [await states(0), await states(1)],
      [
        ["claimed", "claimed", "claimed"],
        ["done", "done", "done"],
      ],
    );
  });

  it("is none where inputs run side by side, each by itself", async () => {
    await using test = await testStore();
    const { say, states } = await twoBatches(test, 1, 0);
    await say(0, [1, 2]);
    assert.deepEqual(await states(0), ["claimed", "done", "done"]);
  });
});

describe("a failure that the platform decides", () => {
  it("ends what waits and what runs, with the reason and without data", async () => {
    await using test = await testStore();
    const { of, callId, holder } = await scene(test);
    const second = await test.does(async (tx, context) => {
      const made = await plantCall(tx, of, context);
      const failure = { status: "terminated", message: "The app was stopped." } as const;
      await failUnfinished(tx, { functionId: of.id }, failure, context);
      return made;
    });
    for (const id of [callId, second.callId]) {
      const [output] = await outputs(test, id);
      const result = fromBinary(GenericResultSchema, output?.result ?? new Uint8Array());
      assert.equal(result.status, Status.TERMINATED);
      assert.equal(result.exception, "The app was stopped.");
      assert.equal(result.dataOneof.case, undefined);
    }
    assert.equal((await test.store.read((tx) => tx.containers.get(holder)))?.held, 0);
  });

  it("ends only what is meant: all that a function has, or what waits for a container", async () => {
    for (const [which, expected] of [
      ["waiting", { mine: ["claimed", "delayed", "done"], other: ["claimed", "delayed", "done"] }],
      ["function", { mine: ["done", "done", "done"], other: ["done", "done", "done"] }],
    ] as const) {
      await using test = await testStore();
      const found = await test.does(async (tx, context) => {
        const of = await plantFunction(tx, context);
        const [mine, other] = [await inThreeStates(tx, of, context), await inThreeStates(tx, of, context)];
        const meant = { waiting: { waitingFor: of.id }, function: { functionId: of.id } };
        await failUnfinished(tx, meant[which], { status: "terminated", message: "x" }, context);
        const statesOf = async ({ inputIds }: { inputIds: readonly string[] }) =>
          await Promise.all(inputIds.map(async (id) => (await tx.inputs.get(id))?.state));
        return { mine: await statesOf(mine), other: await statesOf(other) };
      });
      assert.deepEqual(found, expected, which);
    }
  });

  it("is never one that the clients repeat without end", () => {
    for (const status of ["failure", "terminated", "timeout", "initFailure"] as const) {
      const result = fromBinary(GenericResultSchema, failureResult({ status, message: "x" }).bytes);
      assert.notEqual(result.status, Status.INTERNAL_FAILURE);
      assert.notEqual(result.status, Status.UNSPECIFIED);
    }
  });
});

describe("a container that holds nothing any more", () => {
  /** What was rung for those who wait for room, when its one input is done while others are in this state. */
  const ringsBeside = async (others: "delayed" | "queued"): Promise<number> => {
    await using test = await testStore();
    const { of, inputId, holder } = await scene(test);
    await test.does(async (tx, context) => {
      const { inputId: id } = await plantCall(tx, of, context);
      if (others === "queued") return;
      const input = await tx.inputs.get(id);
      const { id: containerId } = await plantContainer(tx, of, context);
      const claimed = input && (await transition(tx, input, { kind: "claim", containerId }, context));
      const retry = { ...noRetries, retries: 1 };
      const report = { kind: "report", containerId, attempt: 1, outcome: "failure", retry } as const;
      if (claimed !== undefined) await transition(tx, claimed, report, context);
    });
    const rings = countRings(test.bells, idleBell);
    await complete(test, holder, inputId, "done");
    const { count } = rings;
    await rings.stop();
    return count;
  };

  it("makes room for others while inputs of its own only wait for their next attempt's time", async () => {
    assert.equal(await ringsBeside("delayed"), 1);
  });

  it("makes none while one waits for it", async () => {
    assert.equal(await ringsBeside("queued"), 0);
  });
});
