/** kill -9 of the worker: what the next one finds, adopts and removes. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";

import { within } from "@lydian/testkit";

import { containerPlace } from "@lydian/worker/src/container/folder";
import type { Part } from "../../faults/containers.ts";
import { type Crash, crashRound, startHalfWorker } from "./crash-round.ts";
import { needsContainers, newIdentity, nothingIsLeft, outputOf, Rig, type RigIdentity } from "./rig.ts";

describe("a worker that is killed", needsContainers, () => {
  let identity: RigIdentity;
  before(async () => {
    identity = await newIdentity();
  });
  after(() => nothingIsLeft(identity));

  it("leaves a running container, which the next one adopts with all its output", async () => {
    const id = "ta-ADOPTED";
    const script = 'trap "echo bye; exit 9" TERM; echo before; while :; do sleep 0.05; done';
    const first = startHalfWorker(identity, id, script);
    await first.step("started");
    await first.kill();

    const rig = await Rig.open(identity);
    const place = containerPlace(identity.data, id);
    await rig.runtime.clearOthers([place]);
    const adoption = await rig.runtime.adopt(place, { door: (inside) => inside.destroy() });
    assert.equal(adoption.state, "running");
    if (adoption.state !== "running") return;
    await rig.said(place, "before\n");
    adoption.process.signal("SIGTERM");
    assert.deepEqual(await within(5000, adoption.process.end, () => "no end"), { reason: "exited", code: 9 });
    assert.equal(outputOf(await readFile(place.logFile, "utf8")), "before\nbye\n");
    await rig.runtime.clear(place);
    // How it ended is known until its folder is removed, also to a worker after this one.
    assert.deepEqual(await rig.runtime.adopt(place, { door: () => {} }), {
      state: "ended",
      end: { reason: "exited", code: 9 },
    });
    await rig.close();
  });

  it("does not hide how a container ended meanwhile", async () => {
    const id = "ta-ENDED";
    const first = startHalfWorker(identity, id, "sleep 0.3; echo done; exit 4");
    await first.step("started");
    await first.kill();
    const place = containerPlace(identity.data, id);
    const rig = await Rig.open(identity);
    await rig.said(place, "done\n");
    const adoption = await rig.runtime.adopt(place, { door: () => {} });
    assert.equal(adoption.state, "running"); // as far as anybody has looked
    if (adoption.state === "running") {
      assert.deepEqual(await within(5000, adoption.process.end, () => "no end"), { reason: "exited", code: 4 });
    }
    await rig.runtime.clear(place);
    await rig.close();
  });

  // Without other victims: from the first step to well past the last, for a start takes 50 to 200 ms here.
  const rounds: Omit<Crash, "id">[] = [
    { victims: [], afterMs: 0, isLeased: true },
    { victims: [], afterMs: 15, isLeased: false },
    { victims: [], afterMs: 40, isLeased: true },
    { victims: [], afterMs: 80, isLeased: false },
    { victims: [], afterMs: 200, isLeased: false },
    { victims: ["conmon"], afterMs: 0, isLeased: true },
    { victims: ["conmon"], afterMs: 60, isLeased: false },
    { victims: ["runc"], afterMs: 0, isLeased: true },
    { victims: ["runc", "conmon"], afterMs: 5, isLeased: false },
    { victims: ["init"], afterMs: 0, isLeased: true },
    { victims: ["init", "conmon"], afterMs: 20, isLeased: true },
  ];
  for (const [number, round] of rounds.entries()) {
    const who = [...round.victims, "the worker"].join(" and ");
    it(`leaves nothing that the next one does not remove: ${who}, after ${round.afterMs} ms`, async () => {
      let found: Part | undefined;
      let tries = 0;
      do {
        const { left, hit } = await crashRound(identity, { id: `ta-KILLED${number}-${tries++}`, ...round });
        assert.deepEqual(left, []);
        [found] = hit;
      } while (found !== round.victims[0] && tries < 5); // on a busy machine a victim may be gone before it is found
      assert.equal(found, round.victims[0]);
    });
  }
});
