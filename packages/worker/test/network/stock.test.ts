import assert from "node:assert/strict";
import { it } from "node:test";

import { ManualClock } from "@lydian/testkit";

import { Stock } from "../../src/network/stock.ts";

interface Bench {
  stock: Stock<number>;
  clock: ManualClock;
  /** Those that are being made. */
  making: PromiseWithResolvers<number>[];
  failures: unknown[];
  /** Lets all that is being made, and what that causes to be made, come to an end. */
  finish(): Promise<void>;
}

function bench(size: number, atOnce = 2): Bench {
  const clock = new ManualClock();
  const making: PromiseWithResolvers<number>[] = [];
  const failures: unknown[] = [];
  let made = 0;
  const stock = new Stock<number>({
    size,
    atOnce,
    clock,
    make: () => {
      const one = Promise.withResolvers<number>();
      making.push(one);
      return one.promise;
    },
    onFailure: (error) => failures.push(error),
    closedError: () => new Error("closed"),
  });
  const finish = async (): Promise<void> => {
    for (let one = making.shift(); one !== undefined; one = making.shift()) {
      one.resolve(++made);
      await clock.settle();
    }
  };
  return { stock, clock, making, failures, finish };
}

it("makes things ahead, a few at once, and a little later again what is taken", async () => {
  const { stock, clock, making, finish } = bench(3);
  assert.equal(making.length, 2);
  await finish();
  assert.equal(stock.readyCount, 3);
  assert.equal(await stock.take(), 1);
  assert.equal(making.length, 0);
  await clock.advance(250);
  assert.equal(making.length, 1);
  await finish();
  assert.equal(stock.readyCount, 3);
});

it("serves those who wait in order, and beyond its size", async () => {
  const { stock, making, finish } = bench(0);
  const taken = [stock.take(), stock.take(), stock.take()];
  assert.equal(making.length, 2);
  await finish();
  assert.deepEqual(await Promise.all(taken), [1, 2, 3]);
  assert.equal(stock.readyCount, 0);
});

it("does not give to who no longer waits", async () => {
  const { stock, finish } = bench(0);
  const leaving = new AbortController();
  const first = stock.take(leaving.signal);
  const second = stock.take();
  leaving.abort(new Error("left"));
  await assert.rejects(first, /left/);
  await assert.rejects(stock.take(leaving.signal), /left/);
  await finish();
  assert.equal(await second, 1);
  assert.equal(stock.readyCount, 1);
});

it("tells a failure to who waits, and tries again for itself ever later", async () => {
  const { stock, clock, making, failures, finish } = bench(1, 1);
  const waiting = stock.take();
  const told = assert.rejects(waiting, /no memory/);
  making.shift()?.reject(new Error("no memory"));
  await told;
  await clock.settle();
  assert.equal(making.length, 0);
  await clock.advance(500);
  making.shift()?.reject(new Error("no memory"));
  await clock.advance(999);
  assert.equal(making.length, 0);
  await clock.advance(1);
  assert.equal(making.length, 1);
  assert.equal(failures.length, 2);
  await finish();
  assert.equal(await stock.take(), 1);
});

it("makes at once for who comes while it rests", async () => {
  const { stock, clock, making, finish } = bench(1, 1);
  making.shift()?.reject(new Error("no memory"));
  await clock.settle();
  const waiting = stock.take();
  assert.equal(making.length, 1);
  await finish();
  assert.equal(await waiting, 1);
});

it("hands out what it has when it closes, also what was being made", async () => {
  const { stock, making } = bench(2);
  making.shift()?.resolve(1);
  const waiting = [stock.take(), stock.take()];
  const refused = assert.rejects(Promise.all(waiting), /closed/);
  const closing = stock.close();
  making.shift()?.resolve(2);
  assert.deepEqual(await closing, [1, 2]);
  await refused;
  await assert.rejects(stock.take(), /closed/);
});
