import assert from "node:assert/strict";
import test from "node:test";

import { amountOf, byteReserve, inodeReserve, pauseMs, usualPace } from "../../src/disk/room.ts";

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

test("the reserve is a fiftieth of the disk, within what is useful, and never much of a small one", () => {
  const table: [total: number, reserve: number][] = [
    [500 * mebibyte, 50 * mebibyte],
    [8 * gibibyte, 0.8 * gibibyte],
    [20 * gibibyte, gibibyte],
    [100 * gibibyte, 2 * gibibyte],
    [400 * gibibyte, 8 * gibibyte],
    [4000 * gibibyte, 10 * gibibyte],
  ];
  for (const [total, reserve] of table) assert.ok(Math.abs(byteReserve(total) - reserve) < 1, `${total} bytes`);
  assert.equal(inodeReserve(32_768), 32_768 / 50);
  assert.equal(inodeReserve(16_000_000), 100_000);
});

test("the next look comes before the room can be gone, at most a second and at least 100 ms from now", () => {
  assert.equal(pauseMs(100 * gibibyte, usualPace), 1000);
  assert.equal(Math.round(pauseMs(gibibyte / 2, usualPace)), 500);
  assert.equal(Math.round(pauseMs(gibibyte / 2, 2 * usualPace)), 250);
  assert.equal(pauseMs(mebibyte, usualPace), 100);
  assert.equal(pauseMs(-gibibyte, usualPace), 100);
  assert.equal(pauseMs(Number.POSITIVE_INFINITY, usualPace), 1000);
});

test("amounts are told in the unit that people count in", () => {
  assert.equal(amountOf("bytes", 300 * mebibyte), "300 MiB");
  assert.equal(amountOf("bytes", 252.3 * gibibyte), "252.3 GiB");
  assert.equal(amountOf("inodes", 5000), "5000 files");
});
