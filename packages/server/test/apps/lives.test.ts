/** The lives of apps: made, published, left by their clients, stopped; with a clock that tests move. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { silentLogger } from "@lydian/kit";

import { createApp, type NewApp } from "../../src/apps/create.ts";
import { livingApp } from "../../src/apps/known.ts";
import { type Departure, Presence } from "../../src/apps/presence.ts";
import { publishApp } from "../../src/apps/publish.ts";
import { finishStop, stopApp } from "../../src/apps/stop.ts";
import { claimInputs } from "../../src/calls/claim.ts";
import { timesSchema } from "../../src/config.ts";
import { endContainer } from "../../src/containers/end.ts";
import type { App } from "../../src/domain/app.ts";
import { logsBell } from "../../src/domain/bells.ts";
import { isFail } from "../../src/errors.ts";
import { ensureIdentity } from "../../src/identity/first-start.ts";
import { type TestStore, countRings, testStore } from "../support/open-store.ts";
import { claimRequest, plantCall, plantContainer, plantFunction } from "../support/rows.ts";

const times = timesSchema.parse({});

const newApp: NewApp = { name: "app", environment: "", state: "ephemeral", createdBy: "home", tags: {} };

async function create(test: TestStore, state: "initializing" | "ephemeral" | "detached" = "ephemeral"): Promise<App> {
  const ownerToken = { id: "ak-1", secretSha256: "0".repeat(64) };
  return await test.does(async (tx, context) => {
    await ensureIdentity(tx, { workspace: "home", ownerToken }, context);
    return await createApp(tx, { ...newApp, state }, context);
  });
}

const appOf = (test: TestStore, id: string) => test.store.read((tx) => tx.apps.get(id));

describe("an app", () => {
  it("is made in an environment that exists", async () => {
    await using test = await testStore();
    const app = await create(test);
    assert.deepEqual(await appOf(test, app.id), app);
    const other = test.does((tx, context) => createApp(tx, { ...newApp, environment: "nowhere" }, context));
    await assert.rejects(other, (error) => isFail(error, "notFound") && /There are: main/.test(error.text));
  });

  it("is published with its layout, and becomes what it is published as", async () => {
    await using test = await testStore();
    const app = await create(test, "initializing");
    const layout = { functionIds: { hello: "fu-1" }, classIds: {} };
    const publish = (state: "ephemeral" | "detached"): Promise<App> =>
      test.does((tx, context) => publishApp(tx, { appId: app.id, state, layout }, context));
    assert.equal((await publish("ephemeral")).state, "ephemeral");
    assert.equal((await publish("detached")).state, "ephemeral", "what lives by a heartbeat goes on doing so");
    assert.deepEqual((await appOf(test, app.id))?.layout, layout);
  });

  it("that has stopped can do nothing more", async () => {
    await using test = await testStore();
    const app = await create(test);
    await test.does((tx, context) => stopApp(tx, app, { reason: "x", graceMs: 0 }, context));
    await assert.rejects(
      test.does((tx) => livingApp(tx, app.id)),
      (error) => isFail(error, "failedPrecondition"),
    );
    await assert.rejects(
      test.does((tx) => livingApp(tx, "ap-none")),
      (error) => isFail(error, "notFound"),
    );
  });
});

describe("stopping", () => {
  it("ends calls with the reason, gives idle containers their grace, and kills those in the middle of an input", async () => {
    await using test = await testStore();
    const { app, calls, ids } = await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context);
      const calls = [await plantCall(tx, of, context), await plantCall(tx, of, context)];
      const busy = await plantContainer(tx, of, context);
      const idle = await plantContainer(tx, of, context);
      const young = await plantContainer(tx, of, context, { state: "starting" });
      await claimInputs(tx, claimRequest(busy.id), context);
      const app = await tx.apps.get(of.appId);
      if (app === undefined) throw new Error("no app");
      await stopApp(tx, app, { reason: "Enough.", graceMs: 30_000 }, context);
      return { app, calls, ids: [busy.id, idle.id, young.id] };
    });
    const now = test.clock.now();
    await test.store.read(async (tx) => {
      for (const { callId } of calls) assert.equal((await tx.calls.get(callId))?.state, "finished");
      const containers = await Promise.all(ids.map((id) => tx.containers.get(id)));
      assert.deepEqual(
        containers.map((each) => [each?.state, (each?.killAt ?? 0) - now]),
        [
          ["draining", 0],
          ["draining", 30_000],
          ["draining", 0],
        ],
      );
    });
    assert.equal((await appOf(test, app.id))?.state, "stopping");
  });

  it("is over when the last container is gone, and then its log is done", async () => {
    await using test = await testStore();
    const { app, id } = await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context);
      const { id } = await plantContainer(tx, of, context);
      const app = await tx.apps.get(of.appId);
      if (app === undefined) throw new Error("no app");
      return { app, id };
    });
    const log = countRings(test.bells, logsBell(app.id));
    await test.does((tx, context) => stopApp(tx, app, { reason: "x", graceMs: 0 }, context));
    await test.does((tx, context) => finishStop(tx, app.id, context));
    await test.clock.settle();
    assert.equal(log.count, 0);
    await test.clock.advance(7);
    await test.does((tx, context) => endContainer(tx, id, { reason: "stopped" }, context));
    const stopped = await appOf(test, app.id);
    assert.deepEqual([stopped?.state, stopped?.stoppedAt], ["stopped", test.clock.now()]);
    await test.clock.settle();
    assert.equal(log.count, 1);
    await log.stop();
  });

  it("at once when there is no container, and twice does no harm", async () => {
    await using test = await testStore();
    const app = await create(test);
    for (let i = 0; i < 2; i++) {
      await test.does(async (tx, context) => {
        const now = (await tx.apps.get(app.id)) ?? app;
        await stopApp(tx, now, { reason: "x", graceMs: 0 }, context);
      });
      assert.equal((await appOf(test, app.id))?.state, "stopped");
    }
  });
});

/** An app in this state whose client was heard of just now. */
async function scene(state: App["state"]) {
  const test = await testStore();
  const presence = new Presence({ ...test, times, log: silentLogger });
  const of = await test.does((tx, context) => plantFunction(tx, context, { state }));
  presence.heard(of.appId);
  const stateNow = async (): Promise<string | undefined> => (await appOf(test, of.appId))?.state;
  const leave = (departure: Departure): Promise<void> =>
    test.does(async (tx) => {
      const app = await tx.apps.get(of.appId);
      if (app !== undefined) await presence.departed(tx, app, departure);
    });
  const dispose = async (): Promise<void> => {
    presence.close();
    assert.equal(test.clock.pending, 0);
    await test[Symbol.asyncDispose]();
  };
  return { test, presence, of, stateNow, leave, [Symbol.asyncDispose]: dispose };
}

describe("the presence of clients", () => {
  it("keeps an ephemeral app while it is heard of, and ends it after a term of silence", async () => {
    await using it = await scene("ephemeral");
    for (let i = 0; i < 5; i++) {
      await it.test.clock.advance(times.appExpiry - 1);
      assert.equal(await it.stateNow(), "ephemeral");
      it.presence.heard(it.of.appId);
    }
    await it.test.clock.advance(times.appExpiry);
    assert.equal(await it.stateNow(), "stopped");
  });

  it("starts anew with a whole term after a restart", async () => {
    await using it = await scene("ephemeral");
    await it.test.clock.advance(times.appExpiry - 1);
    it.presence.close();
    const second = new Presence({ ...it.test, times, log: silentLogger });
    await second.start();
    await it.test.clock.advance(times.appExpiry - 1);
    assert.equal(await it.stateNow(), "ephemeral");
    await it.test.clock.advance(1);
    assert.equal(await it.stateNow(), "stopped");
    second.close();
  });

  it("lets a detached app go on without its client until it has nothing to do", async () => {
    await using it = await scene("detached");
    const made = await it.test.does((tx, context) => plantCall(tx, it.of, context));
    await it.leave("done");
    assert.equal(await it.stateNow(), "disconnected");
    await it.test.clock.advance(3 * times.appExpiry);
    assert.equal(await it.stateNow(), "disconnected");
    const container = await it.test.does(async (tx, context) => {
      const { id } = await plantContainer(tx, it.of, context);
      await claimInputs(tx, claimRequest(id), context);
      return id;
    });
    await it.test.clock.advance(times.appExpiry);
    assert.equal(await it.stateNow(), "disconnected", "its input runs");
    await it.test.does(async (tx, context) => {
      await tx.inputs.get(made.inputId);
      await endContainer(tx, container, { reason: "exited", code: 1 }, context, { streak: 9, perInput: 1 });
    });
    await it.test.clock.advance(times.appExpiry);
    assert.equal(await it.stateNow(), "stopped");
  });

  it("takes a detached app's silent client for one that has left", async () => {
    await using it = await scene("detached");
    await it.test.clock.advance(times.appExpiry);
    assert.equal(await it.stateNow(), "disconnected");
  });

  it("leaves a deployed app alone", async () => {
    await using it = await scene("deployed");
    await it.test.clock.advance(10 * times.appExpiry);
    assert.equal(await it.stateNow(), "deployed");
  });
});

describe("clients that leave", () => {
  for (const [departure, state, expected] of [
    ["done", "ephemeral", "stopped"],
    ["interrupted", "ephemeral", "stopped"],
    ["failed", "detached", "stopped"],
    ["interrupted", "detached", "disconnected"],
    ["failed", "deployed", "deployed"],
  ] as const) {
    it(`an app that is ${state} as ${departure} make it ${expected}`, async () => {
      await using it = await scene(state);
      await it.leave(departure);
      assert.equal(await it.stateNow(), expected);
    });
  }

  it("by an interrupt hurry the app's containers", async () => {
    await using it = await scene("ephemeral");
    const { id } = await it.test.does((tx, context) => plantContainer(tx, it.of, context));
    await it.leave("interrupted");
    const killAt = await it.test.store.read(async (tx) => (await tx.containers.get(id))?.killAt);
    assert.equal((killAt ?? 0) - it.test.clock.now(), 500);
    await it.test.does((tx, context) => endContainer(tx, id, { reason: "stopped" }, context));
  });
});
