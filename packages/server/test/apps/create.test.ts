/** Deployments: found by name, replaced by the next one, whose definitions their containers give way to. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { createApp } from "../../src/apps/create.ts";
import { deployedApp } from "../../src/apps/known.ts";
import { deployApp, type DeployRequest } from "../../src/apps/publish.ts";
import { claimInputs } from "../../src/calls/claim.ts";
import { exitGraceMs } from "../../src/containers/begin.ts";
import type { App } from "../../src/domain/app.ts";
import { containerBell, demandBell } from "../../src/domain/bells.ts";
import type { ContainerState } from "../../src/domain/container.ts";
import { isFail } from "../../src/errors.ts";
import { ensureIdentity } from "../../src/identity/first-start.ts";
import { type TestStore, countRings, testStore } from "../support/open-store.ts";
import { claimRequest, deployment, plantCall, plantContainer, plantFunction } from "../support/rows.ts";

const layout = { functionIds: { hello: "fu-1" }, classIds: {} };

const create = (test: TestStore, name = "shop"): Promise<App> =>
  test.does(async (tx, context) => {
    const ownerToken = { id: "ak-1", secretSha256: "0".repeat(64) };
    await ensureIdentity(tx, { workspace: "home", ownerToken }, context);
    return await createApp(tx, { name, environment: "", state: "initializing", createdBy: "home", tags: {} }, context);
  });

/** Another version each time. */
const deploy = (test: TestStore, appId: string, name = "", changes: Partial<DeployRequest> = {}): Promise<App> =>
  test.does(async (tx, context) => {
    const deployed = await deployApp(tx, deployment({ appId, layout, name, ...changes }), context);
    return deployed ?? assert.fail("nothing has changed");
  });

const found = (test: TestStore, name: string) => test.store.read((tx) => deployedApp(tx, "", name));

describe("a deployment", () => {
  it("is found by its name from its publication on, not before", async () => {
    await using test = await testStore();
    const app = await create(test);
    await assert.rejects(found(test, "shop"), (error) => isFail(error, "notFound"));
    await deploy(test, app.id);
    const there = await found(test, "shop");
    assert.deepEqual([there.id, there.state, there.layout], [app.id, "deployed", layout]);
    assert.equal((await found(test, app.id)).id, app.id);
  });

  it("has the name that its publication says, where it says one", async () => {
    await using test = await testStore();
    const app = await create(test, "as written");
    await deploy(test, app.id, "as deployed");
    assert.equal((await found(test, "as deployed")).id, app.id);
    await assert.rejects(found(test, "as written"), (error) => isFail(error, "notFound"));
  });

  it("again keeps its id and has the newer layout", async () => {
    await using test = await testStore();
    const app = await create(test);
    await deploy(test, app.id);
    const newer = { functionIds: { hello: "fu-2", bye: "fu-3" }, classIds: {} };
    await deploy(test, app.id, "", { layout: newer });
    const there = await found(test, "shop");
    assert.deepEqual([there.id, there.layout], [app.id, newer]);
  });

  it("does not take the name of another one that was made at the same time", async () => {
    await using test = await testStore();
    const [first, second] = [await create(test), await create(test)];
    await deploy(test, first.id);
    await assert.rejects(
      deploy(test, second.id),
      (error) => isFail(error, "failedPrecondition") && /"shop" was published meanwhile.*Deploy again/.test(error.text),
    );
    assert.equal((await found(test, "shop")).id, first.id);
    assert.equal((await test.store.read((tx) => tx.apps.get(second.id)))?.state, "initializing");
  });

  it("of another name stands beside it", async () => {
    await using test = await testStore();
    const [first, second] = [await create(test), await create(test, "other")];
    await deploy(test, first.id);
    await deploy(test, second.id);
    assert.deepEqual([(await found(test, "shop")).id, (await found(test, "other")).id], [first.id, second.id]);
  });
});

/** A deployed app of one function, with containers in these states, of the definition before the present one. */
async function redeployed(test: TestStore, states: readonly ContainerState[]) {
  return await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context, { state: "deployed", policy: { timeoutMs: 20_000 } });
    const old: string[] = [];
    for (const state of states) {
      const ends = state === "draining" ? { killAt: context.now + 1 } : {};
      old.push((await plantContainer(tx, of, context, { state, ...ends })).id);
    }
    await tx.functions.put({ ...of, definitionId: "de-newer" });
    const current = await plantContainer(tx, of, context, { definitionId: "de-newer" });
    return { of, old, current: current.id };
  });
}

const publish = (test: TestStore, appId: string): Promise<App> => deploy(test, appId);

describe("containers of an older definition", () => {
  it("give way when the app is published, whatever they are at, and those of the present one stay", async () => {
    await using test = await testStore();
    const { of, old, current } = await redeployed(test, ["assigned", "starting", "ready", "draining"]);
    await publish(test, of.appId);
    const containers = await test.store.read((tx) => Promise.all([...old, current].map((id) => tx.containers.get(id))));
    const until = test.clock.now() + 20_000 + exitGraceMs;
    assert.deepEqual(
      containers.map((each) => [each?.state, each?.killAt]),
      [
        ["draining", until],
        ["draining", until],
        ["draining", until],
        ["draining", test.clock.now() + 1],
        ["ready", undefined],
      ],
    );
  });

  it("keep what they hold for as long as it may run, and take nothing new", async () => {
    await using test = await testStore();
    const { of, old, current } = await redeployed(test, ["ready"]);
    const [first = ""] = old;
    const { inputId } = await test.does(async (tx, context) => {
      const made = await plantCall(tx, of, context);
      await claimInputs(tx, claimRequest(first), context);
      return made;
    });
    await publish(test, of.appId);
    const input = await test.store.read((tx) => tx.inputs.get(inputId));
    assert.deepEqual([input?.state, input?.containerId], ["claimed", first]);
    await test.does(async (tx, context) => {
      await plantCall(tx, of, context);
      assert.equal((await claimInputs(tx, claimRequest(first, { received: new Set([inputId]) }), context)).kind, "end");
      assert.equal((await claimInputs(tx, claimRequest(current), context)).kind, "inputs");
    });
  });

  it("are told, and the scheduler is: others have to take their place", async () => {
    await using test = await testStore();
    const { of, old } = await redeployed(test, ["ready"]);
    const rings = [countRings(test.bells, containerBell(old[0] ?? "")), countRings(test.bells, demandBell)];
    await test.clock.settle();
    await publish(test, of.appId);
    await test.clock.settle();
    for (const each of rings) {
      assert.ok(each.count > 0);
      await each.stop();
    }
  });

  it("of other apps are none of its business", async () => {
    await using test = await testStore();
    const mine = await redeployed(test, []);
    const other = await redeployed(test, ["ready"]);
    await publish(test, mine.of.appId);
    assert.equal((await test.store.read((tx) => tx.containers.get(other.old[0] ?? "")))?.state, "ready");
  });
});
