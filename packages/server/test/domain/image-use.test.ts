/** Of which images nothing need be known any more. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { forgettable, type ImageUse } from "../../src/domain/image-use.ts";

const hour = 3_600_000;
const now = 1_000 * hour;

const use = (id: string, hoursAgo: number, change: Partial<ImageUse> = {}): ImageUse => ({
  ...{ id, usedAt: now - hoursAgo * hour, isNeeded: false, isListed: false, bases: [] },
  ...change,
});

const forgotten = (uses: ImageUse[], unusedHours: number): string[] => forgettable(uses, now - unusedHours * hour, now);

it("forgets what was not used for so long, and what nobody needs", () => {
  assert.deepEqual(forgotten([use("young", 9), use("old", 11), use("older", 99, { isNeeded: true })], 10), ["old"]);
  assert.deepEqual(forgotten([use("once named", 99, { isListed: true })], 10), []);
});

it("keeps what others stand on, however old, and all of it goes with the last of them", () => {
  const chain = (hoursAgo: number): ImageUse[] => [
    use("base", 500),
    use("middle", 400, { bases: ["base"] }),
    use("top", hoursAgo, { bases: ["middle"] }),
  ];
  assert.deepEqual(forgotten(chain(9), 10), []);
  assert.deepEqual(forgotten(chain(11), 10), ["base", "middle", "top"]);
});

it("keeps for an hour what a client was just told of, whatever is wished", () => {
  assert.deepEqual(forgotten([use("told", 0.9), use("old", 1.1)], 0), ["old"]);
});
