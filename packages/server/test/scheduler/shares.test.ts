/** Who gives way to whom: first containers, and ceilings. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { advance } from "../../src/containers/begin.ts";
import { endContainer } from "../../src/containers/end.ts";
import { toldAfterMs } from "../../src/scheduler/shortage.ts";
import { claimRequest, completion, limits, needs, plantContainer, plantFunction } from "../support/rows.ts";
import { call, running, stateOf } from "../support/running-scheduler.ts";

describe("for a function that has none the scheduler", () => {
  it("lets a busy container of a function that has several end after its input, for one that has none", async () => {
    await using test = await running({ needs: needs({ memoryMib: 500 }), timeoutMs: 60_000 });
    for (let i = 0; i < 3; i++) await call(test, test.of);
    const [first, second] = test.assigned;
    assert.ok(first && second);
    for (const { id } of [first, second]) {
      await test.does(async (tx, context) => {
        await advance(tx, id, "ready", context);
        await claimInputs(tx, claimRequest(id), context);
      });
    }
    const other = await test.does((tx, context) =>
      plantFunction(tx, context, { policy: { needs: needs({ memoryMib: 500 }) } }),
    );
    await call(test, other);
    assert.deepEqual([await stateOf(test, first.id), await stateOf(test, second.id)], ["ready", "draining"]);
    await test.clock.advance(30_000); // it may go on as long as its inputs may
    assert.deepEqual(test.stopped, []);
    await test.does((tx, context) => endContainer(tx, second.id, { reason: "exited", code: 0 }, context));
    await test.clock.settle();
    assert.deepEqual(test.assigned.map(({ functionId }) => functionId).slice(2), [other.id]);
  });

  it("has the room of one that has become idle, as soon as it is", async () => {
    await using test = await running({ needs: needs({ memoryMib: 700 }) });
    await call(test, test.of);
    const [only] = test.assigned;
    assert.ok(only);
    const claimed = await test.does(async (tx, context) => {
      await advance(tx, only.id, "ready", context);
      return await claimInputs(tx, claimRequest(only.id), context);
    });
    const other = await test.does((tx, context) =>
      plantFunction(tx, context, { policy: { needs: needs({ memoryMib: 700 }) } }),
    );
    await call(test, other);
    assert.equal(await stateOf(test, only.id), "ready", "it is the only one of its function");
    const inputs = claimed.kind === "inputs" ? claimed.inputs : [];
    await test.does((tx, context) =>
      completeInputs(
        tx,
        only.id,
        inputs.map(({ id, attempt }) => completion(id, { attempt })),
        context,
      ),
    );
    await test.clock.settle();
    assert.equal(await stateOf(test, only.id), "draining");
  });
});

describe("under a ceiling the scheduler", () => {
  const ceiling = (most: number) => ({ ...limits, appContainers: most });
  const same = <T>(value: T): T => value;

  it("starts no more of an app, says so in its log, and goes on when one has ended", async () => {
    await using test = await running({}, same, ceiling(1));
    for (let i = 0; i < 2; i++) await call(test, test.of);
    const other = await test.does((tx, context) => plantFunction(tx, context));
    await call(test, other);
    assert.deepEqual(
      test.assigned.map(({ functionId }) => functionId),
      [test.of.id, other.id],
    );
    await test.clock.advance(toldAfterMs);
    assert.deepEqual(test.told, ["Inputs wait: the app has 1 container, the most that it may have here at a time.\n"]);
    await test.does((tx, context) => endContainer(tx, test.assigned[0]?.id ?? "", { reason: "lost" }, context));
    await test.clock.settle();
    assert.equal(test.assigned.length, 3);
  });

  it("ends what idles in the app for its function that waits", async () => {
    await using test = await running({}, same, ceiling(1));
    const idle = await test.does((tx, context) => plantContainer(tx, test.of, context));
    const elsewhere = await test.does(async (tx, context) =>
      plantContainer(tx, await plantFunction(tx, context), context),
    );
    const sibling = { ...test.of, id: "fu-sibling" as const };
    await test.does((tx) => tx.functions.put(sibling));
    await call(test, sibling);
    assert.deepEqual([await stateOf(test, idle.id), await stateOf(test, elsewhere.id)], ["draining", "ready"]);
    await test.does((tx, context) => endContainer(tx, idle.id, { reason: "exited", code: 0 }, context));
    await test.clock.settle();
    assert.deepEqual(
      test.assigned.map(({ functionId }) => functionId),
      [sibling.id],
    );
  });
});
