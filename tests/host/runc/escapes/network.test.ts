/**
 * What a container sends arrives nowhere but outside, and it hears nothing of others: each way is open without the guards
 * that are said to close it, and closed again as soon as one of them is back. Without user namespaces, where root inside
 * is root, and with CAP_NET_RAW, as always.
 */
import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";

import { until } from "@lydian/testkit";

import { gateway, outside, tool } from "../../network/support.ts";
import { needsContainers, type Rig, sharedRig } from "../rig.ts";
import { type NetworkGuard, withoutGuards } from "./network-guards.ts";
import { intruder, type Intruder, type Resident, resident } from "./residents.ts";
import { tryAll } from "./rounds.ts";

const secret = `secret-${process.pid}`;
/** What the neighbour says to the outside all the time. */
const chatter = "from the neighbour";
const hostIpv6 = "fd6c:7964:6961::1";

/** Everything around one container that tries to get through. */
interface World {
  readonly attempt: Intruder["attempt"];
  /** Addresses: the container's, its gateway's and its neighbour's. */
  readonly own: string;
  readonly gateway: string;
  readonly neighbour: string;
  /** The host's, not on any container's link. */
  readonly hostAddress: string;
  /** Behind a link of the host. */
  readonly outside: { readonly address: string; readonly port: number; heard(pattern: RegExp): Promise<unknown> };
  /** What outside has heard, line by line. */
  readonly heardOutside: readonly string[];
  /** A server on all of the host's addresses that says the secret. */
  readonly hostPort: number;
  /** What the host has heard at a port of UDP, IPv4 and IPv6. */
  readonly heardByHost: string[];
  readonly udpPort: number;
}

interface Way {
  readonly name: string;
  /** Without all of them it is open. */
  readonly guards: readonly NetworkGuard[];
  isOpen(world: World): Promise<boolean>;
  readonly isIpv6?: boolean;
}

const metadata = `169.254.77.${1 + (process.pid % 250)}`;

const reaches =
  (target: (world: World) => [string, number], said = secret) =>
  async (world: World): Promise<boolean> => {
    return (await world.attempt("reach", { target: target(world), secret: said })).verdict === "open";
  };

let rounds = 0;

/** Sends something with a fresh text in it, and whether the text has arrived when what was sent afterwards has. */
const arrives =
  (
    name: string,
    sent: (world: World) => { target: [string, number]; source?: string },
    heard: (world: World) => readonly string[],
  ) =>
  async (world: World): Promise<boolean> => {
    const text = `text-${rounds++}.`;
    const { address, port } = world.outside;
    const send = async (what: string, canaries: object): Promise<void> => {
      assert.equal((await world.attempt(what, { gateway: world.gateway, ...canaries })).verdict, "open");
    };
    await send(name, { ...sent(world), secret: text });
    await send("send_as_another", { source: world.own, target: [address, port], secret: `after ${text}` });
    await world.outside.heard(new RegExp(`after ${text}`));
    await new Promise((resolve) => setTimeout(resolve, 0)); // what the kernel has for this process is read by then
    return heard(world).some((line) => line.includes(text) && !line.includes("after"));
  };

const ways: readonly Way[] = [
  {
    name: "a port of the host's, at the container's gateway",
    guards: ["input"],
    isOpen: reaches(({ gateway, hostPort }) => [gateway, hostPort]),
  },
  {
    name: "a port of the host's, at another address of it",
    guards: ["input"],
    isOpen: reaches(({ hostAddress, hostPort }) => [hostAddress, hostPort]),
  },
  {
    name: "a host that listens to broadcasts",
    guards: ["input"],
    isOpen: arrives(
      "send_as_another",
      ({ own, udpPort }) => ({ target: ["255.255.255.255", udpPort], source: own }),
      ({ heardByHost }) => heardByHost,
    ),
  },
  {
    name: "the host's loopback, by a packet of its own making",
    guards: ["input", "noLoopback"],
    isOpen: arrives(
      "send_as_another",
      ({ own, udpPort }) => ({ target: ["127.0.0.1", udpPort], source: own }),
      ({ heardByHost }) => heardByHost,
    ),
  },
  {
    name: "the host by IPv6",
    isIpv6: true,
    guards: ["input", "noIpv6"],
    isOpen: arrives(
      "send_ipv6",
      ({ udpPort }) => ({ target: [hostIpv6, udpPort] }),
      ({ heardByHost }) => heardByHost,
    ),
  },
  {
    name: "another container",
    guards: ["toOthers", "fromOthers"],
    isOpen: reaches(({ neighbour }) => [neighbour, 7200]),
  },
  {
    name: "a cloud's metadata",
    guards: ["addresses"],
    isOpen: reaches(({ outside }) => [metadata, outside.port], "you are"),
  },
  {
    name: "the outside in a neighbour's name",
    guards: ["sources"],
    isOpen: arrives(
      "send_as_another",
      ({ neighbour, outside: { address, port } }) => ({ target: [address, port], source: neighbour }),
      ({ heardOutside }) => heardOutside,
    ),
  },
];

describe("out of a container's network to", needsContainers, () => {
  const shared = sharedRig({ userns: false });

  it("others", async (t) => {
    const { rig } = shared;
    const there = await outside(t, [metadata]);
    await using host = await hostServers();
    const speech = `"${secret}", ("${there.address}", ${there.port}), "${chatter}"`;
    await using neighbour = await resident(rig, `from ways_out.network import serve; serve(${speech})`);
    await using one = await intruder(rig);
    const world: World = {
      ...host,
      attempt: one.attempt,
      own: one.address,
      gateway: gateway(one),
      neighbour: neighbour.address,
      hostAddress: there.hostAddress,
      outside: { ...there, heard: (pattern) => there.heard.line(pattern) },
      heardOutside: there.heard.lines,
    };
    await there.heard.line(new RegExp(chatter));
    for (const way of ways) {
      const skip = way.isIpv6 === true && !host.hasIpv6 ? "the host takes no IPv6 address" : false;
      await t.test(way.name, { skip }, () => check(rig, one.link, way, world));
    }
    await t.test("a neighbour's place, by ARP", () => claimsAddresses(world, neighbour));
    await t.test("what is sent by others", () => overhears(rig, world, neighbour.network));
  });
});

/** Closed with all guards, open without them, and closed again with each of them back. */
async function check(rig: Rig, link: string, way: Way, world: World): Promise<void> {
  const kept = way.guards.length > 1 ? way.guards.map((one) => way.guards.filter((guard) => guard !== one)) : [];
  for (const without of [[], way.guards, ...kept]) {
    await using _gone = await withoutGuards(rig.identity.instance, link, without);
    const expected = without.length === way.guards.length;
    assert.equal(await way.isOpen(world), expected, `without ${without.join(" and ") || "nothing"}`);
  }
}

/** The host keeps apart, by their links, what containers say of their addresses: a container can harm its own entry alone. */
async function claimsAddresses(world: World, neighbour: Resident): Promise<void> {
  await reachFromHost(neighbour.address);
  await world.attempt("claim_addresses", { gateway: world.gateway, addresses: [world.own, world.neighbour] });
  await until(
    5000,
    async () => (await tool("ip", "neigh", "show", world.own)).includes("02:00:00:00:00:66"),
    () => "the host does not hear what the container says by ARP",
  );
  const entry = await tool("ip", "neigh", "show", world.neighbour, "dev", neighbour.link);
  assert.doesNotMatch(entry, /02:00:00:00:00:66/);
  await reachFromHost(neighbour.address);
}

async function reachFromHost(address: string): Promise<void> {
  const socket = net.connect({ host: address, port: 7200 });
  const [said] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  assert.equal(said.toString(), secret);
}

/** Its own link carries nothing of others; in a neighbour's network it hears it. */
async function overhears(rig: Rig, world: World, neighboursNetwork: string): Promise<void> {
  const canaries = { secret: chatter };
  assert.equal((await world.attempt("overhear", canaries)).verdict, "closed");
  const inNeighbours: Rig["guards"]["amend"] = (spec) => {
    const namespaces = spec.linux.namespaces.map((one) =>
      one.type === "network" ? { ...one, path: neighboursNetwork } : one,
    );
    return { ...spec, linux: { ...spec.linux, namespaces } };
  };
  assert.equal((await tryAll(rig, canaries, inNeighbours, ["overhear"])).get("overhear")?.verdict, "open");
}

type HostServers = Pick<World, "hostPort" | "heardByHost" | "udpPort"> & { hasIpv6: boolean };

async function hostServers(): Promise<HostServers & AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  const address = (what: string): Promise<string> => tool("ip", "-6", "address", what, `${hostIpv6}/128`, "dev", "lo");
  const hasIpv6 = await address("add").then(
    () => true,
    () => false,
  );
  if (hasIpv6) undo.defer(async () => void (await address("delete")));
  const tcp = net.createServer((socket) => socket.on("error", () => {}).end(secret)).listen(0, "0.0.0.0");
  await once(tcp, "listening");
  undo.defer(() => void tcp.close());
  const heardByHost: string[] = [];
  const udp = dgram.createSocket(hasIpv6 ? "udp6" : "udp4", (bytes) => heardByHost.push(bytes.toString()));
  udp.bind(0);
  await once(udp, "listening");
  undo.defer(() => void udp.close());
  const kept = undo.move();
  const { port: hostPort } = tcp.address() as net.AddressInfo;
  return {
    hostPort,
    udpPort: udp.address().port,
    heardByHost,
    hasIpv6,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
