/**
 * Every known way out of a container is closed; it is open without the guards that are said to close it, and closed
 * again as soon as one of them is back.
 */
import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";

import { needsContainers, sharedRig } from "../rig.ts";
import { type Canaries, openCanaries } from "./canaries.ts";
import { isOpen, lacking, Rounds, roundsOf } from "./rounds.ts";
import { type Way, ways } from "./ways.ts";

for (const hasUserNamespace of [true, false]) {
  describe(`out of a container ${hasUserNamespace ? "with" : "without"} a user namespace`, needsContainers, () => {
    let canaries: Canaries & AsyncDisposable;
    let rounds: Rounds;
    after(() => canaries[Symbol.asyncDispose]()); // before the rig is closed, whose folder has some of them
    const shared = sharedRig({ userns: hasUserNamespace });
    before(async () => {
      const neighbour = await shared.rig.place();
      canaries = await openCanaries(shared.rig.identity.data, neighbour.doorFile);
      rounds = new Rounds(shared.rig, canaries, hasUserNamespace);
    });

    for (const [name, way] of Object.entries(ways)) {
      it(name.replaceAll("_", " "), (t) => check(t, rounds, name, way, hasUserNamespace));
    }
  });
}

async function check(t: TestContext, rounds: Rounds, name: string, way: Way, hasUserNamespace: boolean): Promise<void> {
  for (const without of roundsOf(way, hasUserNamespace)) {
    const { verdict, detail } = await rounds.verdict(name, without);
    const expected = isOpen(way, without) ? "open" : "closed";
    const lack = lacking(way) ?? (way.lacks?.test(detail) === true ? `this kernel lacks it: ${detail}` : undefined);
    if (expected === "open" && verdict === "closed" && lack !== undefined) t.skip(lack);
    else assert.equal(verdict, expected, `without ${without.join(" and ") || "nothing"}: ${detail}`);
  }
}
