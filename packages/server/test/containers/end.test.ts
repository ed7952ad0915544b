/** The end of a container: what becomes of its inputs, what is held against its function, and when callers are told. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { create, fromBinary } from "@bufbuild/protobuf";
import { FunctionSchema$, GenericResultSchema, WebhookType } from "@lydian/contract";

import { claimInputs } from "../../src/calls/claim.ts";
import { failureResult } from "../../src/calls/result.ts";
import { cannotBegin, endContainer, failedToInitialize, startedTooLate } from "../../src/containers/end.ts";
import type { App } from "../../src/domain/app.ts";
import { demandBell, inputsBell } from "../../src/domain/bells.ts";
import type { Container, Exit } from "../../src/domain/container.ts";
import type { FunctionRecord } from "../../src/domain/function.ts";
import { defaultCrashPolicy } from "../../src/domain/input.ts";
import { encodeDefinition } from "../../src/functions/definition.ts";
import { type TestStore, countRings, testStore } from "../support/open-store.ts";
import { claimRequest, plantCall, plantContainer, plantFunction, policy } from "../support/rows.ts";

const crash: Exit = { reason: "exited", code: 1 };
const lost: Exit = { reason: "lost", message: "its worker was not heard of any more" };

const plant = (test: TestStore, state: App["state"] = "ephemeral"): Promise<FunctionRecord> =>
  test.does((tx, context) => plantFunction(tx, context, { state }));

const start = (test: TestStore, of: FunctionRecord, changes: Partial<Container> = {}): Promise<Container> =>
  test.does((tx, context) => plantContainer(tx, of, context, changes));

const call = (test: TestStore, of: FunctionRecord) => test.does((tx, context) => plantCall(tx, of, context));

const claim = (test: TestStore, { id }: Container, atMost = 1) =>
  test.does((tx, context) => claimInputs(tx, claimRequest(id, { atMost }), context));

const end = (test: TestStore, { id }: Container, exit: Exit, policy = defaultCrashPolicy): Promise<void> =>
  test.does((tx, context) => endContainer(tx, id, exit, context, policy));

/** A container comes up, takes what waits, and ends like this. */
async function liveAndEnd(test: TestStore, of: FunctionRecord, exit: Exit, policy = defaultCrashPolicy): Promise<void> {
  const container = await start(test, of);
  await claim(test, container);
  await end(test, container, exit, policy);
}

const demandOf = (test: TestStore, { id }: FunctionRecord) => test.store.read((tx) => tx.functions.demand(id));

/** The text of the call's failure; undefined while it has none. */
async function failureOf(test: TestStore, { callId }: { callId: string }): Promise<string | undefined> {
  const [output] = await test.store.read((tx) => tx.outputs.after(callId, 0, 1));
  return output && fromBinary(GenericResultSchema, output.result).exception;
}

describe("inputs of a container that is gone", () => {
  it("go back to the queue, and those who can take them are woken", async () => {
    await using test = await testStore();
    const of = await plant(test);
    const { inputId } = await call(test, of);
    const container = await start(test, of);
    await claim(test, container);
    const rings = [countRings(test.bells, inputsBell(of.id)), countRings(test.bells, demandBell)];
    await test.clock.settle();
    await end(test, container, lost);
    const input = await test.store.read((tx) => tx.inputs.get(inputId));
    assert.deepEqual([input?.state, input?.crashes, input?.attempt], ["queued", 0, 1]);
    assert.deepEqual([input?.containerId, input?.claimedAt], [undefined, undefined]);
    await test.clock.settle();
    assert.equal(rings[0]?.count, 1);
    assert.ok((rings[1]?.count ?? 0) > 0);
    for (const ring of rings) await ring.stop();
  });

  it("keep their place: what waited longer is taken first", async () => {
    await using test = await testStore();
    const of = await plant(test);
    const first = await call(test, of);
    await call(test, of);
    await liveAndEnd(test, of, lost);
    const next = await claim(test, await start(test, of));
    assert.equal(next.kind === "inputs" && next.inputs[0]?.id, first.inputId);
  });

  it("never fail for being lost", async () => {
    await using test = await testStore();
    const of = await plant(test);
    const made = await call(test, of);
    for (let i = 0; i < 5; i++) await liveAndEnd(test, of, lost);
    assert.equal(await failureOf(test, made), undefined);
    assert.equal((await demandOf(test, of))?.crashStreak, 0);
  });

  it("fail alone after three containers crashed under them, where the function as a whole goes on", async () => {
    await using test = await testStore();
    const of = await plant(test, "disconnected");
    const [poison, other] = [await call(test, of), await call(test, of)];
    for (let i = 0; i < 2; i++) await liveAndEnd(test, of, crash);
    assert.equal(await failureOf(test, poison), undefined);
    await liveAndEnd(test, of, crash);
    assert.match((await failureOf(test, poison)) ?? "", /after 3 containers crashed/);
    assert.equal(await failureOf(test, other), undefined);
    assert.equal((await demandOf(test, of))?.queued, 1);
  });

  it("are not blamed for a crash in company", async () => {
    await using test = await testStore();
    const of = await plant(test, "deployed");
    const made = [await call(test, of), await call(test, of)];
    for (let i = 0; i < 4; i++) {
      const container = await start(test, of);
      await claim(test, container, 2);
      await end(test, container, crash);
    }
    for (const each of made) assert.equal(await failureOf(test, each), undefined);
  });
});

describe("the end of a container", () => {
  it("is recorded once, with its reason", async () => {
    await using test = await testStore();
    const of = await plant(test);
    const container = await start(test, of);
    await end(test, container, { reason: "signaled", signal: "SIGSEGV" });
    await test.clock.advance(10);
    await end(test, container, lost);
    const found = await test.store.read((tx) => tx.containers.get(container.id));
    assert.deepEqual([found?.state, found?.goneReason], ["gone", "was killed by SIGSEGV"]);
    assert.equal(found?.goneAt, test.clock.now() - 10);
    assert.equal((await demandOf(test, of))?.crashStreak, 1);
  });

  it("is no crash when it was told to end and did", async () => {
    await using test = await testStore();
    const of = await plant(test);
    const container = await start(test, of, { state: "draining", killAt: 1 });
    await end(test, container, { reason: "exited", code: 0 });
    assert.equal((await demandOf(test, of))?.crashStreak, 0);
  });

  it("stops the app that waits for its last container", async () => {
    await using test = await testStore();
    const of = await plant(test, "stopping");
    const [first, last] = [await start(test, of), await start(test, of)];
    const stateOf = () => test.store.read(async (tx) => (await tx.apps.get(of.appId))?.state);
    await end(test, first, lost);
    assert.equal(await stateOf(), "stopping");
    await end(test, last, lost);
    assert.equal(await stateOf(), "stopped");
  });
});

describe("crashes in a row", () => {
  it("fail all that waits after the third, where a client is there to see it", async () => {
    await using test = await testStore();
    const of = await plant(test);
    const made = [await call(test, of), await call(test, of)];
    for (let i = 0; i < 2; i++) await end(test, await start(test, of), crash);
    for (const each of made) assert.equal(await failureOf(test, each), undefined);
    await end(test, await start(test, of), crash);
    for (const each of made) {
      assert.equal(
        await failureOf(test, each),
        "The container exited with code 1, the third in a row to end without finishing an input.",
      );
    }
    assert.deepEqual([(await demandOf(test, of))?.queued, (await demandOf(test, of))?.crashStreak], [0, 0]);
  });

  it("leave alone what runs elsewhere", async () => {
    await using test = await testStore();
    const of = await plant(test);
    const running = await call(test, of);
    await claim(test, await start(test, of));
    const waiting = await call(test, of);
    for (let i = 0; i < 3; i++) await end(test, await start(test, of), crash);
    assert.equal(await failureOf(test, running), undefined);
    assert.match((await failureOf(test, waiting)) ?? "", /third in a row/);
  });

  it("make a function that outlives its client wait longer and longer, and fail nothing", async () => {
    await using test = await testStore();
    const of = await plant(test, "deployed");
    const made = await call(test, of);
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      await end(test, await start(test, of), crash);
      waits.push(((await demandOf(test, of))?.notBefore ?? 0) - test.clock.now());
    }
    const seconds = waits.map((ms) => ms / 1_000);
    assert.deepEqual(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert.equal(await failureOf(test, made), undefined);
  });

  it("give a deployed app's input back each time, and another's up", async () => {
    for (const [state, gaveUp] of [
      ["deployed", false],
      ["disconnected", true],
    ] as const) {
      await using test = await testStore();
      const of = await plant(test, state);
      const made = await call(test, of);
      for (let i = 0; i < 5; i++) await liveAndEnd(test, of, crash);
      const words = 'Gave up after 3 containers crashed while they ran this input of "hello"';
      assert.equal((await failureOf(test, made))?.startsWith(words) ?? false, gaveUp, state);
    }
  });

  it("have a limit that is a setting", async () => {
    await using test = await testStore();
    const of = await plant(test);
    const made = await call(test, of);
    await end(test, await start(test, of), crash, { streak: 1, perInput: 9 });
    assert.match((await failureOf(test, made)) ?? "", /exited with code 1/);
  });
});

describe("a container that cannot even be started", () => {
  const exit: Exit = { reason: "failedToStart", message: "python 3.11 is not there" };

  it("fails what waits at once, where a client is there to see it", async () => {
    await using test = await testStore();
    const of = await plant(test);
    const made = await call(test, of);
    await end(test, await start(test, of, { state: "assigned" }), exit);
    assert.equal(await failureOf(test, made), "The container could not be started: python 3.11 is not there.");
  });

  it("is tried again later, where none is", async () => {
    await using test = await testStore();
    const of = await plant(test, "deployed");
    const made = await call(test, of);
    await end(test, await start(test, of, { state: "assigned" }), exit);
    assert.equal(await failureOf(test, made), undefined);
    assert.equal((await demandOf(test, of))?.notBefore, test.clock.now() + 1_000);
  });
});

describe("a container that says that it cannot take inputs", () => {
  const result = failureResult({ status: "failure", message: "ImportError: no module named torch" });
  const say = (test: TestStore, { id }: Container): Promise<void> =>
    test.does((tx, context) => failedToInitialize(tx, id, result, context));

  it("ends, and its words go to all that waits and to what it held", async () => {
    await using test = await testStore();
    const of = await plant(test);
    const held = await call(test, of);
    const container = await start(test, of);
    await claim(test, container);
    const waiting = await call(test, of);
    await say(test, container);
    for (const each of [held, waiting]) assert.equal(await failureOf(test, each), "ImportError: no module named torch");
    const found = await test.store.read((tx) => tx.containers.get(container.id));
    assert.deepEqual([found?.state, found?.held], ["draining", 0]);
    await end(test, container, { reason: "exited", code: 0 });
    assert.equal((await demandOf(test, of))?.crashStreak, 0);
  });

  it("makes a function that outlives its client wait, once for each container", async () => {
    await using test = await testStore();
    const of = await plant(test, "deployed");
    const made = await call(test, of);
    const container = await start(test, of);
    await say(test, container);
    await say(test, container); // a request that comes again because its reply was lost
    const demand = await demandOf(test, of);
    assert.deepEqual([demand?.crashStreak, (demand?.notBefore ?? 0) - test.clock.now()], [1, 1_000]);
    assert.equal(await failureOf(test, made), undefined);
  });

  it("is not believed when it is gone already", async () => {
    await using test = await testStore();
    const of = await plant(test);
    const container = await start(test, of);
    await end(test, container, lost);
    const made = await call(test, of);
    await say(test, container);
    assert.equal(await failureOf(test, made), undefined);
  });
});

describe("a container that cannot begin", () => {
  for (const state of ["ephemeral", "deployed"] as const) {
    it(`fails what waits with the reason, and the next one is not held up, in an app that is ${state}`, async () => {
      await using test = await testStore();
      const of = await plant(test, state);
      const { callId } = await call(test, of);
      const container = await start(test, of, { state: "assigned" });
      const why = 'Secret "db" was deleted.';
      await test.does((tx, context) => cannotBegin(tx, container.id, why, context));
      await test.does((tx, context) => cannotBegin(tx, container.id, why, context));
      const { outputs, demand, gone } = await test.store.read(async (tx) => ({
        outputs: await tx.outputs.after(callId, 0, 9),
        demand: await tx.functions.demand(of.id),
        gone: await tx.containers.get(container.id),
      }));
      assert.equal(outputs.length, 1);
      const { exception } = fromBinary(GenericResultSchema, outputs[0]?.result ?? new Uint8Array());
      assert.equal(exception, `Its container could not be started. ${why}`);
      assert.deepEqual([demand?.queued, demand?.crashStreak, demand?.notBefore], [0, 0, 0]);
      assert.equal(gone?.state, "gone");
    });
  }

  it("of a function that always has some is tried again slower and slower", async () => {
    await using test = await testStore();
    const of = await test.does((tx, context) =>
      plantFunction(tx, context, { state: "deployed", policy: policy({ minContainers: 1 }) }),
    );
    const delays: number[] = [];
    for (let times = 0; times < 3; times++) {
      const container = await start(test, of, { state: "assigned" });
      await test.does((tx, context) => cannotBegin(tx, container.id, "", context));
      const demand = await test.store.read((tx) => tx.functions.demand(of.id));
      delays.push((demand?.notBefore ?? 0) - test.clock.now());
    }
    assert.ok(
      delays.every((delay, index) => delay > (delays[index - 1] ?? 0)),
      delays.join(" "),
    );
  });
});

describe("a container that is not ready in time", () => {
  it("is told of in its app's log, with what its function may have to change", async () => {
    await using test = await testStore();
    const of = await test.does((tx, context) => plantFunction(tx, context));
    const tooLate = async (): Promise<string> => {
      const { id } = await start(test, of, { state: "starting" });
      const notice = await test.does((tx, context) => startedTooLate(tx, id, context));
      assert.deepEqual(notice?.to, { appId: of.appId, functionId: of.id });
      return notice.text;
    };
    assert.equal(await tooLate(), "A container could not be started: it was not ready after 0 s.");
    const webhookConfig = { type: WebhookType.WEB_SERVER };
    const definition = encodeDefinition(create(FunctionSchema$, { functionName: "serve", webhookConfig }));
    await test.does((tx) => tx.functions.put({ ...of, definition }));
    assert.match(await tooLate(), /has to start its server and return/);
  });
});
