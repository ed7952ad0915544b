/** Whatever set of guards is taken away, it opens the ways that it is said to open and no other. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { type Canaries, openCanaries } from "../host/runc/escapes/canaries.ts";
import { allRounds, isOpen, lacking, tryAll } from "../host/runc/escapes/rounds.ts";
import { takeAway } from "../host/runc/escapes/guards.ts";
import { ways } from "../host/runc/escapes/ways.ts";
import { needsContainers, sharedRig } from "../host/runc/rig.ts";

for (const hasUserNamespace of [true, false]) {
  describe(`${hasUserNamespace ? "with" : "without"} a user namespace, without`, needsContainers, () => {
    let canaries: Canaries & AsyncDisposable;
    after(() => canaries[Symbol.asyncDispose]());
    const shared = sharedRig({ userns: hasUserNamespace });
    before(async () => {
      canaries = await openCanaries(shared.rig.identity.data, (await shared.rig.place()).doorFile);
    });
    for (const without of allRounds(hasUserNamespace)) {
      it(without.join(" and ") || "nothing", async () => {
        const tried = await tryAll(shared.rig, canaries, takeAway(without), Object.keys(ways));
        const wrong = Object.entries(ways).flatMap(([name, way]) => {
          const { verdict, detail } = tried.get(name) ?? { verdict: "missing", detail: "" };
          const isLacking = lacking(way) !== undefined || way.lacks?.test(detail) === true;
          const expected = isOpen(way, without) && !isLacking ? "open" : "closed";
          return verdict === expected ? [] : [`${name} is ${verdict}: ${detail}`];
        });
        assert.deepEqual(wrong, []);
      });
    }
  });
}
