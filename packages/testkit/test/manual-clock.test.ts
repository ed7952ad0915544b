/** The manual clock keeps the order of time, and lets each timer's consequences happen before the next one fires. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { sleep } from "@lydian/kit";

import { ManualClock } from "../src/manual-clock.ts";

test("timers fire in the order of their times, those of one time in the order in which they were set", async () => {
  const clock = new ManualClock(1_000);
  const fired: [string, number][] = [];
  const set = (name: string, ms: number) => clock.timer(ms, () => fired.push([name, clock.now()]));
  set("c", 30);
  set("a", 10);
  set("b", 10);
  set("late", 31);
  await clock.advance(30);
  assert.deepEqual(fired, [
    ["a", 1_010],
    ["b", 1_010],
    ["c", 1_030],
  ]);
  assert.deepEqual([clock.now(), clock.pending, clock.nextAt], [1_030, 1, 1_031]);
});

test("a timer that another one sets fires in the same advance when its time falls into it", async () => {
  const clock = new ManualClock(0);
  const times: number[] = [];
  const again = (): void => {
    times.push(clock.now());
    clock.timer(10, again);
  };
  clock.timer(10, again);
  await clock.advance(35);
  assert.deepEqual(times, [10, 20, 30]);
});

test("what a timer causes happens at its time, also after some turns of the event loop", async () => {
  const clock = new ManualClock(0);
  const seen: number[] = [];
  const work = async (): Promise<void> => {
    await sleep(clock, 10);
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    seen.push(clock.now());
    await sleep(clock, 5);
    seen.push(clock.now());
  };
  const done = work();
  await clock.advance(100);
  await done;
  assert.deepEqual(seen, [10, 15]);
});

test("a timer that was disposed of never fires; one without delay waits for the next turn", async () => {
  const clock = new ManualClock(0);
  let fired = 0;
  const timer = clock.timer(5, () => fired++);
  timer[Symbol.dispose]();
  timer[Symbol.dispose]();
  clock.timer(-3, () => (fired += 10)).unref();
  assert.equal(fired, 0);
  await clock.settle();
  assert.equal(fired, 10);
  await clock.advance(10);
  assert.deepEqual([fired, clock.pending], [10, 0]);
});
