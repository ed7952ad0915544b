/** Apps in tests of their own: no platform, the real encoder, time that the test moves. */
import assert from "node:assert/strict";
import { it } from "node:test";

import {
  App,
  client,
  Cron,
  currentInputId,
  Dict,
  enter,
  exit,
  Func,
  FunctionCall,
  FunctionTimeoutError,
  NotFoundError,
  params,
  Period,
  Queue,
  RemoteError,
  type StandardSchema,
} from "../src/index.ts";
import { testPlatform } from "../src/testing/index.ts";

const app = new App("tested");
const seen = Dict.fromName<string, number>("seen", { createIfMissing: true });
const ended = Queue.fromName<string>("ended", { createIfMissing: true });

const add = app.function({ name: "add" }, async (a: number, b = 1) => a + b);
const twice = app.function({ name: "twice" }, async (n: number): Promise<number> => (await add.remote(n, n)) + 0);
const count = app.function({ name: "count" }, async function* (to: number) {
  for (let at = 0; at < to; at++) yield { at };
});
const where = app.function({ name: "where" }, () => currentInputId());
let tries = 0;
const fails = app.function({ name: "fails", retries: 2 }, (until: number) => {
  if (++tries < until) throw new RangeError(`try ${tries}`);
  return tries;
});
const slow = app.function({ name: "slow", timeout: "50ms" }, () => new Promise(() => {}));
const together = app.function({ name: "together", batched: { maxBatchSize: 3, waitMs: 5 } }, (texts: string[]) =>
  texts.map((text) => `${text}${texts.length}`),
);
const large = app.function({ name: "large" }, (size: number) => new Uint8Array(size));
/** As libraries of schemas make them. */
const whole = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value: unknown) =>
      Number.isInteger((value as { n?: unknown }).n)
        ? { value: { n: (value as { n: number }).n, isChecked: true } }
        : { issues: [{ message: "has to be a whole number", path: ["n"] }] },
  },
} as StandardSchema<{ n: number }, { n: number; isChecked: boolean }>;
const doubled = app.function({ name: "doubled", input: whole }, ({ n, isChecked }) => (isChecked ? n * 2 : 0));
const runs: string[] = [];
const exits: string[] = [];
const Greeter = app.cls(
  { name: "Greeter" },
  class extends params({ name: String }) {
    async [enter]() {
      await seen.put(this.name, 1);
    }
    greet(mark: string) {
      return `${this.name}${mark}`;
    }
    async [exit]() {
      await ended.put(this.name);
      exits.push(this.name);
    }
  },
);
export const daily = app.function({ name: "daily", schedule: new Cron("0 9 * * *") }, () => void runs.push("daily"));
export const often = app.function(
  { name: "often", schedule: new Period({ hours: 10 }) },
  () => void runs.push("often"),
);

it("calls functions in every way, through the encoder", async () => {
  await using _ = await testPlatform(app);
  assert.equal(await add.remote(1), 2);
  assert.equal(await twice.remote(3), 6);
  assert.match((await where.remote()) ?? "", /^in-/);
  assert.deepEqual(
    await add
      .starmap([
        [1, 2],
        [3, 4],
      ])
      .toArray(),
    [3, 7],
  );
  const items: unknown[] = [];
  for await (const item of count.remote(2)) items.push(item);
  assert.deepEqual(items, [{ at: 0 }, { at: 1 }]);
  const calls = await Promise.all([add.spawn(1), add.spawn(2)]);
  assert.deepEqual(await FunctionCall.gather(...calls), [2, 3]);
  assert.deepEqual((await together.map(["a", "b", "c"]).toArray()).toSorted(), ["a3", "b3", "c3"]);
  assert.equal((await large.remote(5_000_000)).byteLength, 5_000_000);
  await assert.rejects(add.remote((() => 1) as unknown as number), /is a function/);
  assert.equal(await Func.fromName<typeof add>("tested", "add").remote(4), 5);
  assert.equal(await client<{ add: typeof add }>("tested").add.remote(5), 6);
  await assert.rejects(Func.fromName("tested", "none").remote(), NotFoundError);
});

it("checks the input of a function with a schema, here and there", async () => {
  await using _ = await testPlatform(app);
  assert.deepEqual([await doubled.remote({ n: 2 }), await doubled.local({ n: 3 })], [4, 6]);
  await assert.rejects(doubled.remote({ n: 0.5 }), /input\.n: has to be a whole number/);
});

it("makes retries, tells errors and times out as a platform does", async () => {
  await using _ = await testPlatform(app);
  assert.equal(await add.remote(2), 3, "of this platform, not of the one before");
  assert.equal(await fails.remote(3), 3);
  tries = 0;
  await assert.rejects(fails.remote(9), (error) => error instanceof RemoteError && error.matches("RangeError"));
  await assert.rejects(slow.remote(), FunctionTimeoutError);
});

it("has classes with hooks, and dicts and queues", async () => {
  {
    await using _ = await testPlatform(app);
    assert.equal(await new Greeter({ name: "Ada" }).greet.remote("!"), "Ada!");
    assert.equal(await seen.get("Ada"), 1);
    await ended.put("x");
    assert.deepEqual([await ended.get(), await ended.len()], ["x", 0]);
  }
  assert.deepEqual(exits, ["Ada"]);
  await assert.rejects(new Greeter({ name: "Bo" }).greet.remote("!"), /is not running/);
});

it("runs by schedule what is due as the test's clock goes", async () => {
  await using platform = await testPlatform(app, { now: new Date("2026-01-01T08:00:00Z") });
  await platform.clock.advance("1d");
  assert.deepEqual(runs, ["daily", "often", "often"]);
  assert.equal(platform.clock.now().toISOString(), "2026-01-02T08:00:00.000Z");
});

it("is one at a time", async () => {
  {
    await using _ = await testPlatform(app);
    await assert.rejects(testPlatform(app), /a test's platform is there already/);
    assert.equal(await add.remote(1, 2), 3);
  }
  await using _ = await testPlatform(app);
  assert.equal(await add.remote(1, 2), 3);
});
