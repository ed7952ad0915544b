import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import net from "node:net";
import { describe, it } from "node:test";

import { until } from "@lydian/testkit";

import { needsRoot, noTraces, openPool, probe, tool, traces } from "./support.ts";

/** What a container sees: its loopback is up, its ids are its own, and any port can be bound. */
async function look(netns: string, userns: string): Promise<{ map: string; owner: string; lowestPort: string }> {
  const inside = (...args: string[]): Promise<string> => tool("nsenter", `--net=${netns}`, `--user=${userns}`, ...args);
  return {
    map: (await inside("cat", "/proc/self/uid_map")).trim().replaceAll(/\s+/g, " "),
    owner: (await inside("ip", "link", "set", "lo", "up")).trim(), // refused if another user namespace owns it
    lowestPort: (
      await tool("nsenter", `--net=${netns}`, "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start")
    ).trim(),
  };
}

describe("the pool of network slots", needsRoot, () => {
  it("gives pairs of namespaces that belong together, each with addresses and ids of its own", async (t) => {
    const { pool } = await openPool(t);
    const slots = await Promise.all(["ta-1", "ta-2", "ta-3"].map((id) => pool.take(id)));
    for (const key of ["index", "userns", "netns", "base", "address"] as const) {
      assert.equal(new Set(slots.map((slot) => slot[key])).size, 3, key);
    }
    for (const { userns = "", netns, base } of slots) {
      assert.deepEqual(await look(netns, userns), { map: `0 ${base} 65536`, owner: "", lowestPort: "0" });
    }
  });

  it("gives network namespaces alone where there are no user namespaces", async (t) => {
    const { pool } = await openPool(t, { userns: false });
    const slot = await pool.take("ta-1");
    assert.equal(slot.userns, undefined);
    assert.equal(slot.base, 0);
    assert.match(
      await tool("nsenter", `--net=${slot.netns}`, "ip", "-brief", "address"),
      /eth0.*(?:198\.18|10\.218)\./,
    );
  });

  it("listens inside a slot and nowhere else, on ports below 1024 too", async (t) => {
    const { pool } = await openPool(t);
    const [slot, neighbour] = await Promise.all([pool.take("ta-1"), pool.take("ta-2")]);
    const here = await pool.listen(
      slot,
      80,
      net.createServer((socket) => socket.end("the worker, for one\n")),
    );
    const there = await pool.listen(neighbour, 80);
    there.on("connection", (socket: net.Socket) => socket.end("the worker, for two\n"));
    const port80 = { kind: "tcp", address: "127.0.0.1", port: 80 } as const;
    assert.deepEqual(await probe(slot.netns, [port80]), ["said the worker, for one"]);
    assert.deepEqual(await probe(neighbour.netns, [port80, { ...port80, address: slot.address }]), [
      "said the worker, for two",
      "silent",
    ]);
    assert.deepEqual(await probe("/proc/self/ns/net", [{ ...port80, address: slot.address }]), ["refused"]);
    await pool.give(slot);
    assert.equal(here.listening, false);
    assert.equal(there.listening, true);
  });

  it("ends what goes through a slot when it is given back, and makes another", async (t) => {
    const { pool, options } = await openPool(t, { size: 2 });
    const slot = await pool.take("ta-1");
    const server = await pool.listen(slot, 8700);
    const held = Promise.withResolvers<net.Socket>();
    server.once("connection", held.resolve);
    const asking = probe(slot.netns, [{ kind: "tcp", address: "127.0.0.1", port: 8700 }]);
    const socket = await held.promise;
    await Promise.all([pool.give(slot), pool.give(slot)]);
    await pool.give(slot);
    assert.equal(socket.destroyed, true);
    await asking;
    const { links, mounts } = await traces(options);
    assert.ok(!links.some((link) => link.endsWith(`-${slot.index}`)), links.join());
    assert.ok(!mounts.some((point) => point === slot.netns || point === slot.userns), mounts.join());
    await assert.rejects(pool.adopt("ta-1", slot.index), /is not that of/);
    const next = await pool.take("ta-2");
    assert.notEqual(next.index, slot.index);
    await until(
      10_000,
      async () => (await traces(options)).links.length === 3,
      () => "the pool is not filled again",
    );
  });
});

describe("the pool of network slots, as a whole", needsRoot, () => {
  it("forgets connections with their slot", async (t) => {
    const { pool } = await openPool(t);
    const slot = await pool.take("ta-1");
    await probe(slot.netns, [{ kind: "udp", address: "192.0.2.77", port: 9 }]);
    const known = async (): Promise<boolean> =>
      (await readFile("/proc/net/nf_conntrack", "utf8")).includes(slot.address);
    const tells = await known().catch(() => undefined);
    if (tells === undefined) return t.skip("this kernel does not show its connections");
    assert.equal(tells, true);
    await pool.give(slot);
    assert.equal(await known(), false);
  });

  it("gives many at once, and stops waiting when told to", async (t) => {
    const { pool } = await openPool(t, { size: 1 });
    const slots = await Promise.all(Array.from({ length: 12 }, (_, i) => pool.take(`ta-${i}`)));
    assert.equal(new Set(slots.map(({ index }) => index)).size, 12);
    await Promise.all([pool.take("ta-a"), pool.take("ta-b")]);
    const waiting = pool.take("ta-c", { signal: AbortSignal.timeout(1) });
    await assert.rejects(Promise.all([waiting, pool.take("ta-d", { signal: AbortSignal.abort(new Error("stop")) })]));
  });

  it("leaves nothing behind, beside another platform that goes on", async (t) => {
    const other = await openPool(t);
    const theirs = await other.pool.take("ta-1");
    const door = await other.pool.listen(theirs, 8700);
    door.on("connection", (socket) => socket.end("still here"));
    const { pool, options } = await openPool(t, { size: 3 });
    await Promise.all([pool.take("ta-1"), pool.take("ta-2")]);
    assert.notDeepEqual(await traces(options), noTraces);
    await pool.close({ remove: true });
    await pool.close({ remove: true });
    assert.deepEqual(await traces(options), noTraces);
    await assert.rejects(pool.take("ta-3"), /is closed/);
    assert.deepEqual(await probe(theirs.netns, [{ kind: "tcp", address: "127.0.0.1", port: 8700 }]), [
      "said still here",
    ]);
    assert.equal((await traces(other.options)).tables.length, 1);
    assert.equal((await readFile("/proc/sys/net/ipv4/ip_forward", "utf8")).trim(), "1");
  });
});
