/** Which indexes are this platform's, and which of them are free: the one that is longest free comes first. */
import { createHash } from "node:crypto";

import { type Clock, PlatformError } from "@lydian/kit";

import { type Block, blockCount, blockOf, freeNetwork, linkPrefix, type Route, slotsPerBlock } from "./address-plan.ts";
import { claimWithin, type HostClaim, tryClaim } from "./host-claim.ts";
import { runTool } from "./host-tool.ts";

/** What another platform may take to look at a block that it then leaves. */
const patienceMs = 5000;

export interface PlacedIndex {
  readonly index: number;
  readonly block: Block;
}

export class SlotIndexes {
  readonly #instance: string;
  readonly #clock: Clock;
  readonly #claims = new Map<number, { block: Block; claim: HostClaim }>();
  #free: PlacedIndex[] = [];
  #claiming: Promise<void> | undefined;

  constructor(instance: string, clock: Clock) {
    this.#instance = instance;
    this.#clock = clock;
  }

  /** Claims the block of a slot that a worker before made; its index is not free. */
  async keep(index: number, network: Block["network"]): Promise<PlacedIndex> {
    const number = blockOf(index);
    if (!this.#claims.has(number)) {
      // Another platform may just have it, but sees our links in it and leaves it.
      this.#add({ number, network }, await claimWithin(this.#clock, blockName(number), patienceMs));
    }
    this.#free = this.#free.filter((placed) => placed.index !== index);
    const claimed = this.#claims.get(number);
    if (claimed?.block.network !== network)
      throw new PlatformError(`slot ${index} is not in ${claimed?.block.network}`);
    return { index, block: claimed.block };
  }

  async take(): Promise<PlacedIndex> {
    for (;;) {
      const placed = this.#free.shift();
      if (placed !== undefined) return placed;
      await (this.#claiming ??= this.#claimBlock().finally(() => (this.#claiming = undefined)));
    }
  }

  release(placed: PlacedIndex): void {
    this.#free.push(placed);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#claims.values()].map(({ claim }) => claim[Symbol.asyncDispose]()));
    this.#claims.clear();
    this.#free = [];
  }

  async #claimBlock(): Promise<void> {
    // Each platform begins elsewhere, so that two rarely look at the same block.
    const start = createHash("sha256").update(this.#instance).digest().readUInt32BE(0) % blockCount;
    for (let step = 0; step < blockCount; step++) {
      const number = (start + step) % blockCount;
      if (this.#claims.has(number)) continue;
      const claim = await tryClaim(blockName(number));
      if (claim === undefined) continue;
      // Looked at under the claim: links of a platform whose worker is just dead are routes too.
      const network = freeNetwork(
        number,
        await hostRoutes(),
        (dev) => dev?.startsWith(linkPrefix(this.#instance)) === true,
      );
      if (network !== undefined) return this.#add({ number, network }, claim);
      await claim[Symbol.asyncDispose]();
    }
    throw new PlatformError("no addresses are left for containers on this host", {
      hint: "other platforms or routes of this host use 198.18.0.0/18 and 10.218.0.0/18: stop one, or free one of them",
    });
  }

  #add(block: Block, claim: HostClaim): void {
    this.#claims.set(block.number, { block, claim });
    for (let i = 0; i < slotsPerBlock; i++) this.#free.push({ index: block.number * slotsPerBlock + i, block });
  }
}

const blockName = (number: number): string => `network/${number}`;

async function hostRoutes(): Promise<Route[]> {
  return JSON.parse((await runTool("ip", ["-json", "-4", "route", "show", "table", "all"])) || "[]") as Route[];
}
