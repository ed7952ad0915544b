import assert from "node:assert/strict";
import test from "node:test";

import { type Holding, type Verdict, whoMustEnd } from "../../src/disk/verdict.ts";

/** What each holds and has written, by name. */
const given = (holdings: Record<string, [held: number | undefined, wrote?: number]>): Holding[] =>
  Object.entries(holdings).map(([id, [held, wrote]]) => ({ id, held, wrote }));

const table: { what: string; lack: number; given: Holding[]; verdict: Verdict | undefined }[] = [
  { what: "nothing is missing", lack: 0, given: given({ a: [500, 500] }), verdict: undefined },
  { what: "what is missing comes back anyway", lack: -5, given: given({ a: [500, 500] }), verdict: undefined },
  { what: "nobody is there", lack: 10, given: [], verdict: undefined },
  {
    what: "the largest is ended",
    lack: 10,
    given: given({ a: [20, 20], b: [500, 500], c: [30, 30] }),
    verdict: { id: "b", by: "held", amount: 500 },
  },
  {
    what: "not who writes over the same again and again, but who holds",
    lack: 10,
    given: given({ rewrites: [20, 9000], holds: [500, 500] }),
    verdict: { id: "holds", by: "held", amount: 500 },
  },
  {
    what: "many small ones together are the reason as well",
    lack: 100,
    given: given({ a: [40, 40], b: [50, 50], c: [30, 30] }),
    verdict: { id: "b", by: "held", amount: 50 },
  },
  { what: "no container ends for the host's files", lack: 100, given: given({ a: [40, 50] }), verdict: undefined },
  {
    what: "what a container has written and nobody finds is its own",
    lack: 100,
    given: given({ a: [40, 40], hides: [1, 700] }),
    verdict: { id: "hides", by: "wrote", amount: 700 },
  },
  {
    what: "who holds too much to be counted is judged by what it has written",
    lack: 100,
    given: given({ a: [200, 200], many: [undefined, 700] }),
    verdict: { id: "many", by: "wrote", amount: 700 },
  },
  {
    what: "and where nothing is known of that, it holds most",
    lack: 100,
    given: given({ a: [200], many: [undefined] }),
    verdict: { id: "many", by: "held", amount: Number.POSITIVE_INFINITY },
  },
];

for (const { what, lack, given: holdings, verdict } of table) {
  test(what, () => assert.deepEqual(whoMustEnd(lack, holdings), verdict));
}
