import assert from "node:assert/strict";
import { it } from "node:test";

import {
  blockCount,
  firstIdOf,
  freeNetwork,
  idsPerSlot,
  linkName,
  slotAddresses,
  slotsPerBlock,
} from "../../src/network/address-plan.ts";

const all = Array.from({ length: blockCount * slotsPerBlock }, (_, index) => index);

it("gives each slot of a host addresses, ids and a name of its own", () => {
  const addresses = all.flatMap((index) => {
    const { host, inside } = slotAddresses(index, "198.18");
    return [host, inside];
  });
  assert.equal(new Set(addresses).size, 2 * all.length);
  assert.deepEqual(slotAddresses(65, "198.18"), { host: "198.18.1.5", inside: "198.18.1.6", prefixLength: 30 });
  assert.equal(firstIdOf(1) - firstIdOf(0), idsPerSlot);
  assert.ok(all.every((index) => firstIdOf(index) >= 1879048192 && firstIdOf(index) + idsPerSlot <= 2147352576));
  assert.ok(all.every((index) => linkName("abcdefgh", index).length <= 15));
});

it("leaves addresses that the host has routes to", () => {
  const ours = (dev: string | undefined): boolean => dev === "ours";
  const free = (...routes: [dst: string, dev?: string][]): string | undefined =>
    freeNetwork(
      5,
      routes.map(([dst, dev]) => ({ dst, dev })),
      ours,
    );
  assert.equal(free(), "198.18");
  assert.equal(free(["default"], ["0.0.0.0/1"], ["192.0.2.0/24"], ["198.18.4.0/24"], ["198.18.6.0"]), "198.18");
  assert.equal(free(["198.18.5.128/30"]), "10.218");
  assert.equal(free(["198.18.5.0"]), "10.218");
  assert.equal(free(["198.18.5.128/30", "ours"]), "198.18");
  assert.equal(free(["198.18.0.0/15", "tun0"], ["10.0.0.0/8"]), undefined);
});
