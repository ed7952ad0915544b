import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";

import { needsRoot, openPool, outside, probe, scratchFolder, type TestPool } from "./support.ts";

/** A name server, as far as anybody here can tell: it answers. */
async function nameServer(t: TestContext, address: string): Promise<void> {
  const udp = dgram.createSocket("udp4", (bytes, from) => udp.send(`heard ${bytes.length}`, from.port, from.address));
  const tcp = net.createServer((socket) => socket.end("heard by tcp"));
  udp.bind(53, address);
  tcp.listen(53, address);
  await Promise.all([once(udp, "listening"), once(tcp, "listening")]);
  t.after(() => {
    udp.close();
    tcp.close();
  });
}

async function poolWith(t: TestContext, resolvConf: string): Promise<TestPool> {
  const file = join(await scratchFolder(t), "resolv.conf");
  await writeFile(file, resolvConf);
  return openPool(t, { resolverFiles: [file, "/nowhere"] });
}

describe("names in a slot", needsRoot, () => {
  it("are asked of the worker, where the host's name server is on its loopback", async (t) => {
    const address = `127.77.${process.pid % 250}.3`;
    await nameServer(t, address);
    const { pool, options } = await poolWith(t, `# comment\nsearch corp.example\nnameserver ${address}\n`);
    const slot = await pool.take("ta-1");
    assert.equal(await readFile(slot.resolvConf, "utf8"), "nameserver 127.0.0.53\nsearch corp.example\n");
    const targets = [
      { kind: "udp", address: "127.0.0.53", port: 53 },
      { kind: "tcp", address: "127.0.0.53", port: 53, text: "name?" },
    ] as const;
    assert.deepEqual(await probe(slot.netns, targets), ["said heard 5", "said heard by tcp"]);
    // And so after the worker's death, for who has read that file: from the start, not only when it is adopted.
    await pool.close({ remove: false });
    const next = await openPool(t, options);
    assert.deepEqual(await probe(slot.netns, targets), ["said heard 5", "said heard by tcp"]);
    await next.pool.adopt("ta-1", slot.index);
    assert.deepEqual(await probe(slot.netns, targets), ["said heard 5", "said heard by tcp"]);
  });

  it("are asked of the worker, where the host's name server is the host itself", async (t) => {
    const world = await outside(t);
    await nameServer(t, world.hostAddress);
    const { pool } = await poolWith(t, `nameserver ${world.hostAddress}\n`);
    const slot = await pool.take("ta-1");
    assert.equal(await readFile(slot.resolvConf, "utf8"), "nameserver 127.0.0.53\n");
    assert.deepEqual(await probe(slot.netns, [{ kind: "udp", address: "127.0.0.53", port: 53 }]), ["said heard 5"]);
  });

  it("are asked of the host's name server, where it is reached, even at a forbidden address", async (t) => {
    const metadata = `169.254.88.${1 + (process.pid % 250)}`;
    await outside(t, [metadata], 53);
    const { pool } = await poolWith(t, `nameserver ${metadata}\nnameserver ::1\noptions edns0\n`);
    const slot = await pool.take("ta-1");
    assert.equal(await readFile(slot.resolvConf, "utf8"), `nameserver ${metadata}\noptions edns0\n`);
    const asked = { kind: "udp", address: metadata, port: 53 } as const;
    const verdicts = await probe(slot.netns, [asked, { ...asked, kind: "tcp" }, { ...asked, port: 80 }]);
    assert.match(verdicts.join(), /^said you are .*,said you are .*,silent$/);
  });
});
