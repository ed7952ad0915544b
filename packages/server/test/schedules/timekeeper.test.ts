/** Functions that are called by themselves: at their moment, once, whatever happens to the server and its clock. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FunctionInputSchema, FunctionSchema$, type ScheduleSchema } from "@lydian/contract";
import { silentLogger } from "@lydian/kit";

import { deployApp, publishApp } from "../../src/apps/publish.ts";
import { stopApp } from "../../src/apps/stop.ts";
import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import type { FunctionRecord } from "../../src/domain/function.ts";
import { encodeDefinition } from "../../src/functions/definition.ts";
import { isFail } from "../../src/errors.ts";
import { listSchedules, runSchedule } from "../../src/schedules/report.ts";
import { Timekeeper } from "../../src/schedules/timekeeper.ts";
import { testStore } from "../support/open-store.ts";
import { claimRequest, completion, deployment, limits, plantContainer, plantFunction } from "../support/rows.ts";

type Asked = NonNullable<MessageInitShape<typeof ScheduleSchema>["scheduleOneof"]>;

const minute = 60_000;
const hour = 60 * minute;
const cron = (cronString: string, timezone = "UTC"): Asked => ({ case: "cron", value: { cronString, timezone } });
const every = (value: Extract<Asked, { case: "period" }>["value"]): Asked => ({ case: "period", value });

/** A deployed app whose one function has this schedule, and somebody who keeps it. */
async function deployed(asked: Asked | undefined) {
  const test = await testStore();
  const told: string[] = [];
  let deployments = 0;
  const start = (): Timekeeper => {
    const keeper = new Timekeeper({ ...test, limits, log: silentLogger, tell: (_to, text) => void told.push(text) });
    keeper.start();
    return keeper;
  };
  const of = await test.does((tx, context) => plantFunction(tx, context, { state: "deployed" }));
  /** As `modal deploy` does it; without a schedule, one that no longer has any. */
  const deploy = (scheduleOneof: Asked | undefined): Promise<void> =>
    test.does(async (tx, context) => {
      const schedule = scheduleOneof === undefined ? {} : { schedule: { scheduleOneof } };
      const definition = encodeDefinition(create(FunctionSchema$, { functionName: "hello", ...schedule }));
      await tx.functions.put({ ...of, definition });
      const layout = { functionIds: { hello: of.id }, classIds: {} };
      // Each deploys again: the definition that it has now, which no client has defined.
      await deployApp(tx, deployment({ appId: of.appId, layout, tag: `${context.now}-${++deployments}` }), context);
    });
  await deploy(asked);
  let keeper = start();
  await test.clock.settle();
  const stop = (): Promise<void> => keeper.close();
  return {
    ...test,
    of,
    told,
    deploy,
    stop,
    start: () => void (keeper = start()),
    calls: () =>
      test.store.read((tx) =>
        tx.calls.newest({ createdAfter: 0, appIds: undefined, functionIds: [of.id], state: undefined }, 10_000),
      ),
    schedule: () => test.store.read((tx) => tx.schedules.get(of.id)),
    async [Symbol.asyncDispose]() {
      await stop();
      assert.equal(test.clock.pending, 0, "nothing is left behind");
      await test[Symbol.asyncDispose]();
    },
  };
}

/** A container that answers all that waits, and asks no more. */
async function answer(test: Awaited<ReturnType<typeof deployed>>, of: FunctionRecord): Promise<void> {
  await test.does(async (tx, context) => {
    const { id } = await plantContainer(tx, of, context);
    const claimed = await claimInputs(tx, claimRequest(id), context);
    assert.equal(claimed.kind, "inputs");
    const held = await tx.inputs.heldBy(id);
    await completeInputs(
      tx,
      id,
      held.map((input) => completion(input.id)),
      context,
    );
  });
}

describe("a scheduled function", () => {
  it("is called without arguments at each of its moments, and nobody looks in between", async () => {
    await using test = await deployed(cron("0 2 * * *"));
    await test.clock.advance(2 * hour - 1);
    assert.equal((await test.calls()).length, 0);
    await test.clock.advance(1);
    const [call] = await test.calls();
    assert.deepEqual([call?.invocation, call?.shape, call?.createdAt], ["async", "unary", test.clock.now()]);
    const [input] = await test.store.read((tx) => tx.inputs.queued(test.of.id, 1));
    const { argsOneof } = fromBinary(FunctionInputSchema, input?.payload ?? new Uint8Array());
    assert.equal(Buffer.from(argsOneof.value as Uint8Array).toString("hex"), "8004297d862e", "Python's ((), {})");
    assert.deepEqual((await test.schedule())?.last, { dueAt: test.clock.now(), callId: call?.id });
    await answer(test, test.of);
    await test.clock.advance(24 * hour);
    assert.equal((await test.calls()).length, 2);
  });

  it("runs once on each of its days through ten years, summer time and all", async () => {
    await using test = await deployed(cron("30 2 28-31 3,10 *", "Europe/Berlin"));
    const local = new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/Berlin", timeStyle: "short" });
    const ran: string[] = [];
    for (let n = 0; n < 80; n++) {
      const due = (await test.schedule())?.dueAt ?? 0;
      await test.stop(); // else somebody looks once a minute
      await test.clock.advance(due - 1_000 - test.clock.now());
      test.start();
      await test.clock.advance(999);
      assert.equal((await test.calls()).length, n);
      await test.clock.advance(1);
      assert.equal((await test.calls()).length, n + 1);
      await answer(test, test.of);
      ran.push(local.format(test.clock.now()));
    }
    const days = (time: string): number => ran.filter((each) => each === time).length;
    assert.deepEqual([days("02:30"), days("03:00")], [74, 6], "on six of these days there is no half past two");
    assert.equal(test.told.length, 0, test.told.join());
  });

  it("is called once for all that was missed while nobody looked, and its app's log says so", async () => {
    await using test = await deployed(every({ minutes: 30 }));
    await test.stop();
    await test.clock.advance(10 * hour + 5 * minute);
    test.start();
    await test.clock.settle();
    assert.equal((await test.calls()).length, 1);
    assert.match(test.told.join(), /due at 2030-01-01T00:30:00.000Z was missed and is made up for now/);
    await answer(test, test.of);
    await test.clock.advance(25 * minute);
    const [last] = await test.calls();
    assert.equal((last?.createdAt ?? 0) - Date.UTC(2030, 0, 1), 10.5 * hour, "at the moments that it always had");
  });

  it("is not queued twice: while a run has not begun, the next is left out, and said to be", async () => {
    await using test = await deployed(every({ seconds: 10 }));
    await test.clock.advance(95_000);
    assert.equal((await test.calls()).length, 1);
    assert.equal(test.told.filter((text) => /left out.*has not begun yet \(fc-/.test(text)).length, 8);
    const { id } = await test.does((tx, context) => plantContainer(tx, test.of, context));
    await test.does((tx, context) => claimInputs(tx, claimRequest(id), context));
    await test.clock.advance(10_000);
    assert.equal((await test.calls()).length, 2, "one that runs is no hindrance");
  });
});

describe("a schedule", () => {
  it("begins its period anew with each deployment, and keeps the moment of a cron rule that stays", async () => {
    await using test = await deployed(every({ hours: 5 }));
    await test.clock.advance(4 * hour);
    await test.deploy(every({ hours: 5 }));
    await test.clock.advance(4 * hour);
    assert.equal((await test.calls()).length, 0);
    await test.clock.advance(hour);
    assert.equal((await test.calls()).length, 1);
    await test.deploy(cron("0 0 * * *"));
    const due = (await test.schedule())?.dueAt;
    await test.stop();
    await test.clock.advance(16 * hour);
    await test.deploy(cron("0 0 * * *"));
    assert.equal((await test.schedule())?.dueAt, due, "it has come, and nobody has looked yet");
    await test.deploy(cron("0 1 * * *"));
    assert.equal((await test.schedule())?.dueAt, Date.UTC(2030, 0, 3, 1));
    await test.deploy(undefined);
    assert.equal(await test.schedule(), undefined);
    test.start();
  });

  it("ends when its app has stopped has stopped", async () => {
    await using test = await deployed(every({ hours: 1 }));
    const { appId } = test.of;
    await test.does(async (tx, context) => {
      const app = await tx.apps.get(appId);
      if (app !== undefined) await stopApp(tx, app, { reason: "stopped", graceMs: 0 }, context);
    });
    await test.clock.advance(48 * hour);
    assert.deepEqual([await test.calls(), await test.schedule()], [[], undefined]);
  });

  it("of an app that is only run is none", async () => {
    await using test = await deployed(undefined);
    const scheduleOneof = every({ seconds: 5 });
    const other = await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context, { state: "ephemeral" });
      const definition = encodeDefinition(create(FunctionSchema$, { schedule: { scheduleOneof } }));
      await tx.functions.put({ ...of, definition });
      const layout = { functionIds: { hello: of.id }, classIds: {} };
      await publishApp(tx, { appId: of.appId, state: "ephemeral", layout }, context);
      return of;
    });
    assert.equal(await test.store.read((tx) => tx.schedules.get(other.id)), undefined);
  });

  it("whose run cannot be queued says so in its app's log, and comes again at its next moment", async () => {
    await using test = await deployed(every({ hours: 1 }));
    await test.stop();
    await test.does(async (tx, { now }) => {
      const schedule = await tx.schedules.get(test.of.id);
      if (schedule === undefined) return;
      await tx.schedules.put({ ...schedule, functionId: "fu-gone", dueAt: now });
    });
    test.start();
    await test.clock.settle();
    assert.match(test.told.join(), /could not be queued: Function fu-gone does not exist/);
    const gone = await test.store.read((tx) => tx.schedules.get("fu-gone"));
    assert.equal(gone?.dueAt, Date.UTC(2030, 0, 1, 1));
  });

  it("is found anew when the clock that set its moment has gone back by much, and never runs twice for a little", async () => {
    await using test = await deployed(cron("0 0 1 * *"));
    await test.stop();
    const ahead = await test.schedule();
    assert.ok(ahead);
    const year = 365 * 24 * hour;
    await test.does((tx) => tx.schedules.put({ ...ahead, dueAt: ahead.dueAt + year, setAt: ahead.setAt + year }));
    test.start();
    await test.clock.settle();
    assert.equal((await test.schedule())?.dueAt, ahead.dueAt);
    await test.stop();
    const ran = { ...ahead, dueAt: ahead.dueAt + 31 * 24 * hour, setAt: test.clock.now() + minute };
    await test.does((tx) => tx.schedules.put(ran));
    test.start();
    await test.clock.settle();
    assert.equal((await test.schedule())?.dueAt, ran.dueAt);
  });
});

describe("the operator", () => {
  it("sees what runs next and how the run before went, and calls a function beside its schedule", async () => {
    await using test = await deployed(every({ hours: 1 }));
    const list = (changes = {}) => test.store.read((tx) => listSchedules(tx, { app: "", environment: "", ...changes }));
    const [before] = await list();
    const next = BigInt(test.clock.now() + hour);
    assert.deepEqual(
      [before?.appName, before?.functionName, before?.environment, before?.rule, before?.nextAtMs, before?.lastCallId],
      ["app", "hello", "main", "every 1 hour", next, ""],
    );
    const ask = { app: "app", function: "hello", environment: "" };
    const { id } = await test.does((tx, context) => runSchedule(tx, { ...ask } as never, limits, context));
    assert.deepEqual(
      (await test.calls()).map((call) => call.id),
      [id],
    );
    assert.equal((await list())[0]?.nextAtMs, next);
    await answer(test, test.of);
    await test.clock.advance(hour);
    await answer(test, test.of);
    const [after] = await list({ app: test.of.appId, environment: "main" });
    const [last] = await test.calls();
    assert.deepEqual([after?.lastAtMs, after?.lastCallId, after?.lastState], [next, last?.id, 2]);
    await assert.rejects(list({ app: "nothing" }), (error) => isFail(error, "notFound"));
    await assert.rejects(list({ environment: "nowhere" }), (error) => isFail(error, "notFound"));
    await assert.rejects(
      test.does((tx, context) => runSchedule(tx, { ...ask, function: "bye" } as never, limits, context)),
      (error) => isFail(error, "notFound") && /has no function "bye".*There are: hello/.test(error.text),
    );
  });
});
