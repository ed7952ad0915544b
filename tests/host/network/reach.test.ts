import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import os from "node:os";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import type { Target } from "./probe.ts";
import { gateway, liveIn, needsRoot, openPool, outside, probe, tool } from "./support.ts";

const servers = fileURLToPath(new URL("./servers.ts", import.meta.url));

/** Servers on all addresses of the host. */
async function hostServers(t: TestContext): Promise<{ tcp: number; udp: number; came: string[] }> {
  const came: string[] = [];
  const tcp = net.createServer((socket) => {
    came.push(`tcp ${socket.remoteAddress}`);
    socket.end("host\n");
  });
  const udp = dgram.createSocket("udp4", (_, from) => {
    came.push(`udp ${from.address}`);
    udp.send("host", from.port, from.address);
  });
  tcp.listen(0, "0.0.0.0");
  udp.bind(0);
  await Promise.all([once(tcp, "listening"), once(udp, "listening")]);
  t.after(() => {
    tcp.close();
    udp.close();
  });
  return { tcp: (tcp.address() as net.AddressInfo).port, udp: udp.address().port, came };
}

const both = (address: string, port: number): Target[] => [
  { kind: "tcp", address, port },
  { kind: "udp", address, port },
];

describe("what a slot reaches", needsRoot, () => {
  it("the outside, in the host's name", async (t) => {
    const world = await outside(t);
    const { pool } = await openPool(t);
    const slot = await pool.take("ta-1");
    assert.deepEqual(await probe(slot.netns, both(world.address, world.port)), [
      `said you are ${world.hostAddress}`,
      `said you are ${world.hostAddress}`,
    ]);
  });

  it("no port of the host, at none of its addresses", async (t) => {
    const world = await outside(t);
    const { pool, options } = await openPool(t);
    const slot = await pool.take("ta-1");
    const host = await hostServers(t);
    // Links of other platforms come and go.
    const addresses = Object.entries(os.networkInterfaces())
      .filter(([link]) => !link.startsWith("ly") || link.startsWith(`ly${options.instance}-`))
      .flatMap(([, list]) => list ?? [])
      .filter(({ family, internal }) => family === "IPv4" && !internal)
      .map(({ address }) => address);
    assert.ok(addresses.includes(world.hostAddress));
    assert.ok(addresses.includes(gateway(slot)));
    const targets = addresses.flatMap((address): Target[] => [
      { kind: "tcp", address, port: host.tcp },
      { kind: "udp", address, port: host.udp },
    ]);
    assert.deepEqual(
      new Set(await probe(slot.netns, targets)),
      new Set(["silent"]),
      `${addresses.join()} came: ${host.came.join()}`,
    );
    assert.deepEqual(await probe(slot.netns, both("127.0.0.1", host.tcp)), ["refused", "silent"]);
    assert.deepEqual(host.came, []);
    // The host itself gets in: tunnels come this way.
    await (await liveIn(t, slot.netns, servers, "7100")).line(/^ready/);
    assert.match((await probe("/proc/self/ns/net", both(slot.address, 7100))).join(), /^said you are .*,said you are /);
  });

  it("no other slot, of its own platform or another", async (t) => {
    const [one, other] = await Promise.all([openPool(t), openPool(t)]);
    const [slot, neighbour, stranger] = await Promise.all([
      one.pool.take("ta-1"),
      one.pool.take("ta-2"),
      other.pool.take("ta-1"),
    ]);
    for (const { netns } of [neighbour, stranger]) await (await liveIn(t, netns, servers, "7200")).line(/^ready/);
    const targets = [neighbour, stranger].flatMap(({ address }) => both(address, 7200));
    assert.deepEqual(await probe(slot.netns, targets), ["silent", "silent", "silent", "silent"]);
    assert.ok((await probe("/proc/self/ns/net", targets)).every((verdict) => verdict.startsWith("said")));
  });
});

describe("what no slot does", needsRoot, () => {
  it("reach a metadata service or a link-local address", async (t) => {
    const metadata = [`169.254.77.${1 + (process.pid % 250)}`, "100.100.100.200"];
    const world = await outside(t, metadata);
    const { pool } = await openPool(t);
    const slot = await pool.take("ta-1");
    const targets = metadata.flatMap((address) => both(address, world.port));
    assert.deepEqual(await probe(slot.netns, targets), ["silent", "silent", "silent", "silent"]);
    assert.ok((await probe("/proc/self/ns/net", targets)).every((verdict) => verdict.startsWith("said")));
  });

  it("send in another's name", async (t) => {
    const world = await outside(t);
    const { pool } = await openPool(t);
    const [slot, neighbour] = await Promise.all([pool.take("ta-1"), pool.take("ta-2")]);
    const others = ["203.0.113.9", neighbour.address, gateway(slot), world.hostAddress];
    for (const address of others) {
      await tool("nsenter", `--net=${slot.netns}`, "ip", "address", "add", `${address}/32`, "dev", "lo");
    }
    const { address, port } = world;
    const targets = others.map((from): Target => ({ kind: "udp", address, port, from, text: `as ${from}` }));
    await probe(slot.netns, targets);
    await probe(slot.netns, [{ kind: "udp", address, port, from: slot.address, text: "as itself" }]);
    await world.heard.line(/as itself/);
    assert.deepEqual(
      world.heard.lines.filter((line) => line.startsWith("udp")),
      [`udp ${world.hostAddress} as itself`],
    );
  });

  it("use IPv6, but on its own loopback", async (t) => {
    const { pool } = await openPool(t);
    const slot = await pool.take("ta-1");
    const inside = await tool("nsenter", `--net=${slot.netns}`, "ip", "-6", "-brief", "address");
    assert.match(inside, /^lo .*::1/);
    assert.doesNotMatch(inside, /eth0/);
    const host = await tool("ip", "-6", "-brief", "address", "show");
    assert.doesNotMatch(host, new RegExp(slot.netns.split("/").at(-1)?.replace(".net", "@") ?? "", "u"));
  });
});
