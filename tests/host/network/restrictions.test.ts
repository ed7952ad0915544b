/** Containers that may not reach everything outside: nothing at all, or only what is named. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import { checkedCidr } from "@lydian/worker/src/network/firewall-rules";
import type { NetworkSlot } from "@lydian/worker/src/network/network-pool";
import { needsRoot, openPool, outside, probe, tool } from "./support.ts";

/** A world with two addresses, and how often each answers from inside a slot. */
async function scene(t: TestContext) {
  const other = "203.0.113.77";
  const world = await outside(t, [other]);
  const { pool, options } = await openPool(t, { size: 2 });
  const reaches = async (slot: NetworkSlot): Promise<string[]> => {
    const targets = [world.address, other].flatMap((address) =>
      (["tcp", "udp"] as const).map((kind) => ({ kind, address, port: world.port })),
    );
    const verdicts = await probe(slot.netns, targets);
    return targets.filter((_, i) => verdicts[i]?.startsWith("said")).map(({ kind, address }) => `${kind} ${address}`);
  };
  const at = (address: string): string[] => [`tcp ${address}`, `udp ${address}`];
  return { world, other, pool, options, reaches, at };
}

describe("a restricted slot", needsRoot, () => {
  it("reaches nothing, or only what it is allowed, and its neighbours everything", async (t) => {
    const { world, other, pool, reaches, at } = await scene(t);
    const blocked = await pool.take("ta-blocked", { restriction: { allowedCidrs: [] } });
    const limited = await pool.take("ta-limited", {
      restriction: { allowedCidrs: [`${other}/32`, "203.0.113.64/26", other, "192.0.2.0/24"] },
    });
    const free = await pool.take("ta-free");
    assert.deepEqual(await reaches(blocked), []);
    assert.deepEqual(await reaches(limited), at(other));
    assert.deepEqual(await reaches(free), [...at(world.address), ...at(other)]);
    await pool.give(limited);
    await pool.give(blocked);
    assert.deepEqual(await reaches(await pool.take("ta-next")), [...at(world.address), ...at(other)]);
  });

  it("stays so when the table is loaded again, and under the next worker", async (t) => {
    const { other, pool, options, reaches, at } = await scene(t);
    const blocked = await pool.take("ta-blocked", { restriction: { allowedCidrs: [] } });
    const limited = await pool.take("ta-limited", { restriction: { allowedCidrs: [other] } });
    await tool("nft", "flush", "set", "inet", `lydian_${options.instance}`, "blocked");
    await tool("nft", "delete", "table", "inet", `lydian_${options.instance}`);
    await pool.close({ remove: false });
    const next = await openPool(t, options);
    assert.deepEqual(await reaches(blocked), []);
    assert.deepEqual(await reaches(limited), at(other));
    await next.pool.adopt("ta-blocked", blocked.index);
    await next.pool.give(blocked);
  });
});

it("takes IPv4 networks and nothing that nft could read as more", () => {
  assert.equal(checkedCidr("10.1.0.0/16"), "10.1.0.0/16");
  assert.equal(checkedCidr("10.1.2.3"), "10.1.2.3/32");
  for (const text of ["", "10.1.0.0/33", "10.1.0/8", "::/0", "10.0.0.0/8 }; add rule", "10.0.0.0/8/8", "10.0.0.0/"]) {
    assert.throws(() => checkedCidr(text), /is no IPv4 network/, text);
  }
});
