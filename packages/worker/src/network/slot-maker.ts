/** Makes and removes one slot: its namespaces, their pins, the link between host and container. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { hasCode, PlatformError } from "@lydian/kit";

import { firstIdOf, linkName, slotAddresses } from "./address-plan.ts";
import { HostToolError, hostEnv, missing, runTool } from "./host-tool.ts";
import type { Pins } from "./namespace-thread.ts";
import type { Namespaces } from "./namespaces.ts";
import type { NetworkSlot } from "./network-slot.ts";
import type { PlacedIndex } from "./slot-indexes.ts";

/** A slot with what the pool must know to remove it. */
export interface MadeSlot extends NetworkSlot {
  readonly placed: PlacedIndex;
  readonly pins: Pins;
  readonly link: string;
}

export interface SlotMakerOptions {
  readonly instance: string;
  /** A folder for pins, prepared by `preparePins`. */
  readonly pinsFolder: string;
  readonly resolvConf: string;
  readonly namespaces: Namespaces;
}

export class SlotMaker {
  readonly #options: SlotMakerOptions;
  /** Of the interface by which the host reaches the outside. */
  #mtu: Promise<number> | undefined;

  constructor(options: SlotMakerOptions) {
    this.#options = options;
  }

  /** All names of a slot; nothing of it need exist. */
  describe(placed: PlacedIndex, userns: boolean): MadeSlot {
    const { instance, pinsFolder, resolvConf } = this.#options;
    const { index } = placed;
    const pins = {
      user: userns ? join(pinsFolder, `${index}.user`) : undefined,
      net: join(pinsFolder, `${index}.net`),
    };
    return {
      index,
      userns: pins.user,
      netns: pins.net,
      base: userns ? firstIdOf(index) : 0,
      address: slotAddresses(index, placed.block.network).inside,
      resolvConf,
      placed,
      pins,
      link: linkName(instance, index),
    };
  }

  /** Leaves nothing when it fails. */
  async make(placed: PlacedIndex, userns: boolean): Promise<MadeSlot> {
    const slot = this.describe(placed, userns);
    try {
      await this.#pin(slot);
      await this.#connect(slot);
      return slot;
    } catch (error) {
      await this.remove(slot);
      throw error;
    }
  }

  /** Twice does no harm. */
  async remove(slot: MadeSlot): Promise<void> {
    const { namespaces } = this.#options;
    // The kernel would remove it with its namespace, but whoever still holds that must not hold the link.
    await namespaces.run("deleteLink", slot.link);
    await namespaces.run("unpin", slot.pins.user === undefined ? [slot.pins.net] : [slot.pins.user, slot.pins.net]);
    await namespaces.run("forgetConnections", slot.address);
  }

  /**
   * A user namespace can be made only by a process with a single thread, and a network namespace belongs to the user
   * namespace of its maker; so a small process makes both and holds them until they are pinned. It ends with its stdin,
   * also when the worker is killed meanwhile.
   */
  async #pin(slot: MadeSlot): Promise<void> {
    const kinds = slot.pins.user === undefined ? ["--net"] : ["--user", "--net"];
    const holder = spawn("unshare", [...kinds, "--", "cat"], { env: hostEnv, stdio: "pipe" });
    const said = text(holder.stderr);
    const closed = once(holder, "close").catch((error: unknown) => {
      throw hasCode(error, "ENOENT") ? missing("unshare") : error;
    });
    holder.stdin.on("error", () => {}); // it ended; `closed` tells
    holder.stdin.write("\n");
    try {
      // What it sends back shows that `unshare` has become `cat`.
      await Promise.race([once(holder.stdout, "data"), closed.then(async () => Promise.reject(refused(await said)))]);
      if (holder.pid === undefined) throw new Error("a process without a number");
      await this.#options.namespaces.run("pin", holder.pid, slot.base, slot.pins);
    } finally {
      holder.stdin.end();
      closed.catch(() => {}); // has been told above, or no longer matters
    }
    await closed;
  }

  async #connect({ placed, link, pins }: MadeSlot): Promise<void> {
    const addresses = slotAddresses(placed.index, placed.block.network);
    const mtu = await (this.#mtu ??= uplinkMtu());
    await this.#options.namespaces.run("connect", { link, netns: pins.net, mtu, ...addresses });
  }
}

function refused(said: string): PlatformError {
  return new PlatformError(`the kernel makes no namespaces: ${said.trim()}`, {
    hint: "see /proc/sys/user/max_user_namespaces and max_net_namespaces",
  });
}

/** Packets that do not fit further on need an ICMP message to find out, which many networks swallow. */
async function uplinkMtu(): Promise<number> {
  try {
    const routes = JSON.parse(await runTool("ip", ["-json", "-details", "route", "get", "192.88.99.1"])) as {
      dev?: string;
    }[];
    const links = JSON.parse(await runTool("ip", ["-json", "link", "show", "dev", routes[0]?.dev ?? ""])) as {
      mtu?: number;
    }[];
    return Math.min(links[0]?.mtu ?? defaultMtu, defaultMtu);
  } catch (error) {
    if (error instanceof HostToolError) return defaultMtu; // no way to the outside
    throw error;
  }
}

/** Ethernet's; a larger one (loopback's, jumbo frames) gains nothing behind a router. */
const defaultMtu = 1500;
