/** Containers that stay for a while, with the program of the attempts in them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { cp } from "node:fs/promises";
import type net from "node:net";
import { basename } from "node:path";
import { createInterface } from "node:readline";

import { within } from "@lydian/testkit";

import { tool } from "../../network/support.ts";
import type { Rig } from "../rig.ts";
import { program, type Verdict } from "./rounds.ts";

export interface Resident extends AsyncDisposable {
  readonly address: string;
  /** The host's end of its link. */
  readonly link: string;
  /** The path of its network. */
  readonly network: string;
}

/** Runs Python until it is disposed of. */
export async function resident(rig: Rig, code: string): Promise<Resident> {
  const place = await rig.place();
  let network = "";
  rig.guards.amend = (spec) => {
    network = spec.linux.namespaces.find(({ type }) => type === "network")?.path ?? "";
    return spec;
  };
  const clear = (): Promise<void> => rig.runtime.clear(place);
  try {
    const layout = await rig.lay(place);
    await cp(program, layout.hostPath("/root/ways_out"), { recursive: true });
    await layout.showFiles?.();
    await rig.start(place, `exec python3 -c '${code}'`);
    const inside = await tool("nsenter", `--net=${network}`, "ip", "-4", "-brief", "address", "show", "eth0");
    const address = /\d+\.\d+\.\d+\.\d+/.exec(inside)?.[0] ?? "";
    const link = `ly${rig.identity.instance}-${basename(network, ".net")}`;
    return { address, link, network, [Symbol.asyncDispose]: clear };
  } catch (error) {
    await clear();
    throw error;
  } finally {
    rig.guards.amend = (spec) => spec;
  }
}

export interface Intruder extends Resident {
  /** Makes an attempt. */
  attempt(name: string, canaries: object): Promise<Verdict>;
}

/** A container that attempts what it is told. */
export async function intruder(rig: Rig): Promise<Intruder> {
  const door = Promise.withResolvers<net.Socket>();
  rig.door = door.resolve;
  const one = await resident(rig, "from ways_out import obey; obey()");
  const socket = await within(20_000, door.promise, () => "the intruder does not come to its door");
  const lines = createInterface({ input: socket });
  return {
    ...one,
    async attempt(name, canaries) {
      socket.write(`${JSON.stringify({ name, canaries })}\n`);
      const [line] = (await within(20_000, once(lines, "line"), () => `${name} does not end`)) as [string];
      const verdict = JSON.parse(line) as Verdict;
      assert.notEqual(verdict.verdict, "broken", `${name}: ${verdict.detail}`);
      return verdict;
    },
  };
}
