/** A database of an earlier version: opened, it has all that it had, and what waited in it is answered. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";

import { Bells } from "@lydian/kit";
import { ManualClock, predictableIds, temporaryFolder } from "@lydian/testkit";

import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { failUnfinished } from "../../src/calls/sweep.ts";
import { endContainer } from "../../src/containers/end.ts";
import type { Context } from "../../src/domain/context.ts";
import { migrations } from "../../src/store/migrations.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { assertInvariants } from "../support/invariants.ts";
import { claimRequest, completion, payload } from "../support/rows.ts";

/** What the first released version wrote for a function that asked for something. */
const oldPolicy = {
  minContainers: 1,
  maxContainers: 7,
  bufferContainers: 0,
  scaledownMs: 20_000,
  concurrency: 1,
  milliCpu: 500,
  memoryMib: 256,
  startupMs: 300_000,
  timeoutMs: 45_000,
};

/** The rows of one deployed app in the middle of its work: an input that waits, one that runs, one that is done. */
const oldRows = `
  INSERT INTO environments VALUES ('en-1', 'main');
  INSERT INTO images VALUES ('im-1', 'default', '3.11', '2025.06');
  INSERT INTO apps VALUES ('ap-1', 'en-1', 'shop', 'deployed', 1000, NULL, '{"functionIds":{"hello":"fu-1"},"classIds":{}}');
  INSERT INTO functions VALUES ('fu-1', 'ap-1', 'hello', 'de-1', x'0a', '1.6.4', 'im-1', :policy, 1000, 1, 1, 2, 0);
  INSERT INTO calls VALUES ('fc-1', 'fu-1', 'ap-1', 'closed', 'unary', 'sync', 1, 1, 2000, NULL, NULL);
  INSERT INTO calls VALUES ('fc-2', 'fu-1', 'ap-1', 'closed', 'unary', 'sync', 1, 1, 2001, NULL, NULL);
  INSERT INTO calls VALUES ('fc-3', 'fu-1', 'ap-1', 'finished', 'unary', 'async', 1, 0, 2002, 2500, NULL);
  INSERT INTO inputs VALUES ('in-1', 'fc-1', 'fu-1', 0, 'queued', :payload, 0, 0, NULL, NULL);
  INSERT INTO inputs VALUES ('in-2', 'fc-2', 'fu-1', 0, 'claimed', :payload, 2, 1, 'ta-1', 2100);
  INSERT INTO inputs VALUES ('in-3', 'fc-3', 'fu-1', 0, 'done', x'', 1, 0, 'ta-1', 2050);
  INSERT INTO outputs (call_id, input_id, idx, result, data_format, container_id, started_at, created_at)
    VALUES ('fc-3', 'in-3', 0, x'0801', 1, 'ta-1', 2050, 2500);
  INSERT INTO containers VALUES ('ta-1', 'fu-1', 'ap-1', 'local', 'ready', 'fence', 500, 256, 1, 1, 1500, 1600, 2100,
    NULL, NULL, NULL, 17);
  INSERT INTO logs VALUES ('ap-1', 1, 99);
  INSERT INTO replies VALUES ('key', x'01', 2000);`;

/** A store over a database as the first version left it. */
async function upgraded() {
  const folder = await temporaryFolder();
  const file = join(folder.path, "store.sqlite");
  const old = new DatabaseSync(file);
  old.exec(`PRAGMA journal_mode = WAL; ${migrations[0] ?? ""}; PRAGMA user_version = 1`);
  const values = {
    policy: `'${JSON.stringify(oldPolicy)}'`,
    payload: `x'${Buffer.from(payload("old")).toString("hex")}'`,
  };
  old.exec(oldRows.replaceAll(":policy", values.policy).replaceAll(":payload", values.payload));
  old.close();
  const clock = new ManualClock();
  const store = openStore(file, new Bells());
  const context: Context = { now: clock.now(), newId: predictableIds() };
  const dispose = async (): Promise<void> => {
    await store.close();
    assertInvariants(file);
    await folder[Symbol.asyncDispose]();
  };
  return { file, store, context, [Symbol.asyncDispose]: dispose };
}

/** Of the steps that databases out there have taken. */
const taken = [
  "d7ab3c252c019c3b8d562999b4ba06db23ad12de4b65f9585b82b05f8f105a7c",
  "eccb6ee538f7e7e54e58ae1e6b6f7e0146106acc288d92cc84511b87d6f095ff",
  "486924b04f0b57901599462e93191e8fe9493edeacd5d7941aa4f15e20d6959a",
  "c75aca5ea9d5d087bf208fc051b7027a51787c0414abff281db01f4a639bf080",
  "01dccf67d685c9dd6d04f85ebb115915642676b60bf63b77f2ba27aca2217ddc",
  "41232598c566070402e966d6bbd0caeb160ec4f47fe4a83603c13d0d67b04dc2",
  "0dfe75358260c0984d05f63c2c78eed1f3129fd3eed983789893552fc3a559b9",
  "60aec7a9ff152683de4a83833c89aad074397117c7d8fa89c4a5be05805c9f28",
  "cbfb1bdccabfa3b8f2f3f0f44dd58c10f4dd6b4aedc8ed776ff900e6ec344e21",
  "56a131e75d0b6c03f68c930af6adea7150e6ed1721004bd70e1f6ea01520c641",
  "f6cfc3aff08fe07c107c20a381a5eaf1dacf635caac1747894bb6b7f187e59eb",
  "c7e4e1184fc3990c10a2d650077b05e728d6a4bd4bc5a3719138d6d20e48abd1",
  "0d64419dcdf8a2c8fabe0af8125c9aa05b8205beddc9409218c2ec51df289b0f",
  "41683fee56f51efe3b56885b52547c602c482739153d4c084c794083bbc92ef4",
  "6a44d46811c3b1ebbc4458abf9b1ea37a1d8371fc0a51c332af8c27381a05053",
  "760052bc36600c2bd8e235f07f063cc3b7459338fef1c13b540efb3e90bca064",
  "1bb2ecfc005083026122e914815972c6542bf7af8a8f791449a61135fa083eea",
  "3abbad003dab52429a41ba92432cf9c5c4c5b0be372fd0373af6be84368f650c",
  "e616f50b57fb77d0771c07f91a2347394c44897d48d26e6ff2e2bd34ebea7d49",
];

describe("migrations", () => {
  it("that were taken somewhere never change: what comes later is a step of its own", () => {
    const digests = migrations.map((step) => createHash("sha256").update(step).digest("hex"));
    assert.deepEqual(digests, taken);
  });

  for (const version of migrations.keys()) {
    it(`from version ${version} on come to the newest schema`, async () => {
      await using folder = await temporaryFolder();
      const file = join(folder.path, "store.sqlite");
      const old = new DatabaseSync(file);
      old.exec(`${migrations.slice(0, version).join(";")}; PRAGMA user_version = ${version}`);
      old.close();
      await openStore(file, new Bells()).close();
      assertInvariants(file);
    });
  }
});

describe("a database of the first version", () => {
  it("is sound when it is opened, and has the newest schema", async () => {
    await using it = await upgraded();
    assertInvariants(it.file, "after the migration");
    const database = new DatabaseSync(it.file, { readOnly: true });
    assert.equal(database.prepare("PRAGMA user_version").get()?.["user_version"], migrations.length);
    database.close();
  });

  it("has everything that it had", async () => {
    await using it = await upgraded();
    await it.store.read(async (tx) => {
      assert.equal((await tx.apps.deployed("en-1", "shop"))?.id, "ap-1");
      const calls = await Promise.all(["fc-1", "fc-2", "fc-3"].map((id) => tx.calls.get(id)));
      assert.deepEqual(
        calls.map((call) => [call?.state, call?.parentInputId]),
        [
          ["closed", ""],
          ["closed", ""],
          ["finished", ""],
        ],
      );
      const inputs = await Promise.all(["in-1", "in-2", "in-3"].map((id) => tx.inputs.get(id)));
      assert.deepEqual(
        inputs.map((input) => [input?.state, input?.failures, input?.crashes, input?.method, input?.ending]),
        [
          ["queued", 0, 0, "", undefined],
          ["claimed", 0, 0, "", undefined],
          ["done", 0, 0, "", undefined],
        ],
      );
      assert.deepEqual(inputs[0]?.payload, payload("old"));
      assert.equal((await tx.outputs.after("fc-3", 0, 9)).length, 1);
      const { binding, policy } = (await tx.functions.get("fu-1")) ?? {};
      assert.equal(binding, undefined);
      assert.deepEqual([policy?.maxContainers, policy?.timeoutMs, policy?.maxConcurrency], [7, 45_000, 1]);
      assert.deepEqual([policy?.batchSize, policy?.singleUse, policy?.retry.retries], [0, false, 0]);
      assert.deepEqual((await tx.functions.demand("fu-1"))?.delayed, 0);
      assert.deepEqual((await tx.containers.get("ta-1"))?.gpus, undefined);
      const { state, recipe } = (await tx.images.get("im-1")) ?? {};
      assert.deepEqual(
        [state, recipe?.lines, recipe?.registry],
        ["idle", ["FROM python:3.11-slim-bookworm"], undefined],
      );
    });
  });

  it("knows what its functions' containers need, and keeps those that are always kept", async () => {
    await using it = await upgraded();
    const demands = await it.store.write(async (tx) => {
      // Nothing else keeps it on the scheduler's list.
      await failUnfinished(tx, { functionId: "fu-1" }, { status: "failure", message: "x" }, it.context);
      await endContainer(tx, "ta-1", { reason: "lost" }, it.context);
      return await tx.functions.demands();
    });
    assert.deepEqual(
      demands.map(({ policy }) => [policy.minContainers, policy.needs]),
      [[1, { milliCpu: 500, memoryMib: 256, gpus: [], regions: [], cloud: "" }]],
    );
  });

  it("has what waited in it claimed, also by a batch that lingers, and answered", async () => {
    await using it = await upgraded();
    const { claim, call } = await it.store.write(async (tx) => {
      const request = claimRequest("ta-1", { atMost: 5, lingerMs: 60_000, received: new Set(["in-2"]) });
      const claim = await claimInputs(tx, request, it.context);
      await completeInputs(tx, "ta-1", [completion("in-1")], it.context);
      return { claim, call: await tx.calls.get("fc-1") };
    });
    assert.deepEqual(claim.kind === "inputs" && claim.inputs.map(({ id, attempt }) => [id, attempt]), [["in-1", 1]]);
    assert.deepEqual([call?.state, call?.unfinished, call?.failed], ["finished", 0, 0]);
  });

  it("has what ran in it answered by the container that has it, which was told no number of its attempt", async () => {
    await using it = await upgraded();
    const released = await it.store.write((tx) => completeInputs(tx, "ta-1", [completion("in-2")], it.context));
    assert.deepEqual(released, ["in-2"]);
  });
});

describe("an app that the first version deployed", () => {
  it("has what it is as its first version", async () => {
    await using it = await upgraded();
    await it.store.read(async (tx) => {
      const [deployed] = await tx.deployments.ofApp("ap-1", 9);
      assert.deepEqual([deployed?.version, deployed?.isKept, deployed?.definitions], [1, true, { "fu-1": "de-1" }]);
      assert.equal((await tx.editions.get("de-1"))?.functionId, "fu-1");
    });
  });
});
