/** Starts during which runc or the container's first process is killed: they end as what they are, and soon. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { within } from "@lydian/testkit";

import type { ProcessEnd } from "@lydian/worker/src/container/exit";
import { needsContainers, newIdentity, nothingIsLeft, Rig, type RigIdentity } from "./rig.ts";

const lost: ProcessEnd = {
  reason: "lost",
  message: "the process that kept it was killed; how the function ended is unknown",
};

describe("a container that is killed while it is made", needsContainers, () => {
  let identity: RigIdentity;
  before(async () => {
    identity = await newIdentity();
  });
  after(() => nothingIsLeft(identity));

  /** How a container ends that is made by a runc that does this with the real one's arguments. */
  async function endWith(commands: string): Promise<ProcessEnd> {
    const runc = join(identity.data, "runc");
    await writeFile(runc, `#!/bin/sh\n${commands}\n`, { mode: 0o755 });
    const rig = await Rig.open(identity, { runc });
    try {
      const place = await rig.place();
      await rig.lay(place);
      const container = await within(10_000, rig.start(place, "echo it runs"), () => "the start hangs");
      const end = await within(10_000, container.end, () => "it has no end");
      await rig.runtime.clear(place);
      return end;
    } finally {
      await rig.close();
    }
  }

  it("is lost when runc is killed at once", async () => {
    assert.deepEqual(await endWith("kill -KILL $$"), lost);
  });

  // conmon then waits for last words of a process that waits for us.
  it("is lost when runc is killed when it has done all but end", async () => {
    assert.deepEqual(await endWith('runc "$@"; kill -KILL $$'), lost);
  });

  it("is killed when its first process is, before it becomes the program", async () => {
    const commands = `runc "$@"; status=$?; kill -KILL "$(cat /run/lydian/${identity.instance}/c/*/bundle/pid)"; exit $status`;
    assert.deepEqual(await endWith(commands), { reason: "signaled", signal: "SIGKILL" });
  });

  it("is refused with runc's own words when runc has some", async () => {
    await assert.rejects(
      endWith('exec runc "$@" one-too-many'),
      /the container could not be made: .*exactly 1 argument/s,
    );
  });
});
