/** Rows come back from the real database as they went in, and the queries that decide find what they should. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { idMaker } from "@lydian/kit";

import { container, payload, plantCall, plantContainer, plantFunction, plantMap } from "../support/rows.ts";
import { testStore } from "../support/open-store.ts";

describe("containers", () => {
  it("come back as they went in, with and without what may be missing", async () => {
    await using test = await testStore();
    const full = container({
      id: "ta-2",
      readyAt: 1,
      killAt: 2,
      goneAt: 3,
      goneReason: "lost",
      state: "gone",
      held: 4,
    });
    const found = await test.store.write(async (tx) => {
      await tx.containers.insert(container());
      await tx.containers.insert(full);
      return [await tx.containers.get("ta-1"), await tx.containers.get("ta-2"), await tx.containers.get("ta-3")];
    });
    assert.deepEqual(found, [container(), full, undefined]);
  });

  it("are found while they live, by app and by worker", async () => {
    await using test = await testStore();
    const found = await test.store.write(async (tx) => {
      await tx.containers.insert(container({ id: "ta-1" }));
      await tx.containers.insert(container({ id: "ta-2", workerId: "other", state: "starting" }));
      await tx.containers.insert(container({ id: "ta-3", state: "gone", goneAt: 1, goneReason: "x", appId: "ap-2" }));
      return {
        alive: (await tx.containers.alive()).map(({ id }) => id),
        local: (await tx.containers.ofWorker("local")).map(({ id }) => id),
        starting: (await tx.containers.ofApp("ap-1", ["starting"])).map(({ id }) => id),
      };
    });
    assert.deepEqual(found, { alive: ["ta-1", "ta-2"], local: ["ta-1"], starting: ["ta-2"] });
  });

  it("are forgotten some time after they are gone, a few at a time", async () => {
    await using test = await testStore();
    const counts = await test.store.write(async (tx) => {
      for (const [id, goneAt] of [
        ["ta-1", 10],
        ["ta-2", 20],
        ["ta-3", 30],
      ] as const) {
        await tx.containers.insert(container({ id, state: "gone", goneAt, goneReason: "x" }));
      }
      await tx.containers.insert(container({ id: "ta-4" }));
      return [await tx.containers.forget(30, 1), await tx.containers.forget(30, 5), await tx.containers.forget(30, 5)];
    });
    assert.deepEqual(counts, [1, 1, 0]);
  });
});

describe("inputs", () => {
  it("wait in the order of their arrival, also those of one millisecond", async () => {
    await using test = await testStore();
    const newId = idMaker(() => test.clock.now());
    const context = { now: test.clock.now(), newId };
    const [sent, queued] = await test.store.write(async (tx) => {
      const of = await plantFunction(tx, context);
      const ids: string[] = [];
      for (let i = 0; i < 20; i++) ids.push((await plantCall(tx, of, context)).inputId);
      return [ids, (await tx.inputs.queued(of.id, 20)).map(({ id }) => id)];
    });
    assert.deepEqual(queued, sent);
  });

  it("lose their payload when they have succeeded, and not before or otherwise", async () => {
    await using test = await testStore();
    const sizes = await test
      .does(async (tx, context) => {
        const of = await plantFunction(tx, context);
        const { inputId } = await plantCall(tx, of, context);
        const input = await tx.inputs.get(inputId);
        if (input === undefined) throw new Error("not there");
        await tx.inputs.update({ ...input, attempt: 1 });
        const before = (await tx.inputs.get(inputId))?.payload.length;
        await tx.inputs.finish({ ...input, state: "done" }, { output: 1, keepsPayload: true });
        const failed = (await tx.inputs.get(inputId))?.payload.length;
        const { inputId: otherId } = await plantCall(tx, of, context);
        await tx.inputs.finish({ ...input, id: otherId, state: "done" }, { output: 2, keepsPayload: false });
        const succeeded = (await tx.inputs.get(otherId))?.payload.length;
        throw Object.assign(new Error("undone"), { sizes: [before, failed, succeeded] }); // or the database is not sound
      })
      .catch((error: Error & { sizes?: number[] }) => error.sizes);
    const whole = payload("argument").length;
    assert.deepEqual(sizes, [whole, whole, 0]);
  });

  it("that are not finished are those that wait and those that run", async () => {
    await using test = await testStore();
    const [expected, found] = await test.store.write(async (tx) => {
      const context = { now: 0, newId: test.newId };
      const of = await plantFunction(tx, context);
      const holder = await plantContainer(tx, of, context);
      const ids: string[] = [];
      for (const state of ["queued", "claimed", "done"] as const) {
        const { inputId } = await plantCall(tx, of, context);
        const input = await tx.inputs.get(inputId);
        if (input !== undefined) {
          const moved = { ...input, state, ...(state !== "queued" && { containerId: holder.id }) };
          if (state === "done") await tx.inputs.finish(moved, { output: 1, keepsPayload: true });
          else await tx.inputs.update(moved);
        }
        if (state !== "done") ids.push(inputId);
      }
      return [ids, (await tx.inputs.unfinished(of.id, 10)).map(({ id }) => id)];
    });
    assert.deepEqual(found.toSorted(), expected);
  });
});

describe("outputs", () => {
  it("are found after an entry and by their place in the call", async () => {
    await using test = await testStore();
    const found = await test.store.write(async (tx) => {
      const context = { now: 0, newId: test.newId };
      const of = await plantFunction(tx, context);
      const { callId, inputIds } = await plantMap(tx, of, context, 3);
      for (const index of [2, 0, 1]) {
        const input = await tx.inputs.get(inputIds[index] ?? "in-none");
        if (input === undefined) throw new Error("not there");
        const output = await tx.outputs.insert({
          callId,
          inputId: input.id,
          index,
          result: new Uint8Array([index]),
          dataFormat: 1,
          containerId: undefined,
          startedAt: undefined,
          createdAt: index,
        });
        await tx.inputs.finish({ ...input, state: "done" }, { output, keepsPayload: false });
      }
      const all = await tx.outputs.after(callId, 0, 10);
      return {
        all: all.map(({ index }) => index),
        afterFirst: (await tx.outputs.after(callId, all[0]?.entry ?? 0, 1)).map(({ index }) => index),
        between: (await tx.outputs.between(callId, 1, 2, 10)).map(({ index }) => index),
        missing: [all[0]?.containerId, all[0]?.startedAt],
      };
    });
    assert.deepEqual(found, { all: [2, 0, 1], afterFirst: [0], between: [2, 1], missing: [undefined, undefined] });
  });

  it("exist once for an input", async () => {
    await using test = await testStore();
    const twice = test.does(async (tx, context) => {
      const { inputId } = await plantCall(tx, await plantFunction(tx, context), context);
      const input = await tx.inputs.get(inputId);
      if (input === undefined) throw new Error("not there");
      await tx.inputs.finish({ ...input, state: "done" }, { output: 1, keepsPayload: false });
      await tx.inputs.finish({ ...input, state: "done" }, { output: 2, keepsPayload: false });
    });
    await assert.rejects(twice, /has an output already/);
  });
});

describe("functions", () => {
  it("keep their counts when they are defined anew", async () => {
    await using test = await testStore();
    const found = await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context);
      await plantCall(tx, of, context);
      await tx.functions.setCrashes(of.id, 2, 5);
      await tx.functions.put({ ...of, name: "renamed" });
      const { name } = (await tx.functions.get(of.id)) ?? {};
      const { queued, crashStreak, notBefore } = (await tx.functions.demand(of.id)) ?? {};
      return { name, queued, crashStreak, notBefore };
    });
    assert.deepEqual(found, { name: "renamed", queued: 1, crashStreak: 2, notBefore: 5 });
  });

  it("are of interest to the scheduler while they have inputs or living containers", async () => {
    await using test = await testStore();
    const [expected, found] = await test.store.write(async (tx) => {
      const context = { now: 0, newId: test.newId };
      const [waiting, running, held, idle, past] = [
        await plantFunction(tx, context),
        await plantFunction(tx, context),
        await plantFunction(tx, context),
        await plantFunction(tx, context),
        await plantFunction(tx, context),
      ];
      await plantCall(tx, waiting, context);
      await tx.functions.addDemand(running.id, { claimed: 1 });
      await plantContainer(tx, held, context);
      await plantContainer(tx, past, context, { state: "gone", goneAt: 1, goneReason: "x" });
      void idle;
      return [[waiting.id, running.id, held.id], (await tx.functions.demands()).map(({ functionId }) => functionId)];
    });
    assert.deepEqual(found, expected);
  });
});

describe("mounts, images, tokens and blobs", () => {
  it("the same manifest and name are the same mount", async () => {
    await using test = await testStore();
    const ids = await test.store.write(async (tx) => [
      (await tx.mounts.put({ id: "mo-1", manifestSha256: "a", name: "" })).id,
      (await tx.mounts.put({ id: "mo-2", manifestSha256: "a", name: "" })).id,
      (await tx.mounts.put({ id: "mo-3", manifestSha256: "b", name: "" })).id,
      (await tx.mounts.put({ id: "mo-4", manifestSha256: "a", name: "python" })).id,
    ]);
    assert.deepEqual(ids, ["mo-1", "mo-1", "mo-3", "mo-4"]);
  });

  it("a token's secret can change, a blob becomes complete", async () => {
    await using test = await testStore();
    const found = await test.store.write(async (tx) => {
      const token = { id: "ak-1", name: "laptop", expiresAt: undefined, isDisabled: false };
      await tx.identity.putToken({ ...token, secretSha256: "old", createdAt: 1 });
      await tx.identity.putToken({ ...token, secretSha256: "new", createdAt: 2 });
      const blob = { id: "bl-1", sha256: "s", size: 3, complete: false, createdAt: 1 } as const;
      await tx.blobs.put(blob);
      await tx.blobs.put({ ...blob, complete: true });
      return [{ ...(await tx.identity.token("ak-1")) }, await tx.blobs.get("bl-1")];
    });
    assert.deepEqual(found, [
      { id: "ak-1", name: "laptop", expiresAt: undefined, isDisabled: false, secretSha256: "new", createdAt: 1 },
      { id: "bl-1", sha256: "s", size: 3, complete: true, createdAt: 1 },
    ]);
  });
});
