import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { listProcesses, until } from "@lydian/testkit";

import { gateway, liveIn, needsRoot, openPool, probe, tool } from "./support.ts";

const patienceMs = 15_000;

async function table(instance: string): Promise<string> {
  return tool("nft", "--terse", "list", "table", "inet", `lydian_${instance}`).catch(() => "");
}

/** A pool whose rules are watched, and what they look like. */
async function watched(t: TestContext): Promise<{ rules: string; name: string; restored: () => Promise<unknown> }> {
  const { options } = await openPool(t);
  const name = `lydian_${options.instance}`;
  const rules = await table(options.instance);
  assert.match(rules, /hook input/);
  const restored = (): Promise<unknown> =>
    until(
      patienceMs,
      async () => (await table(options.instance)) === rules,
      () => "the rules are not back",
    );
  return { rules, name, restored };
}

describe("the firewall's watch", needsRoot, () => {
  it("loads the rules again when they are flushed, deleted or opened by somebody else", async (t) => {
    const { name, restored } = await watched(t);
    for (const change of [
      ["delete", "table", "inet", name],
      ["flush", "table", "inet", name],
      ["insert", "rule", "inet", name, "input", "accept"],
      ["delete", "chain", "inet", name, "postrouting"],
      ["delete", "table", "inet", name],
    ]) {
      await tool("nft", ...change);
      await restored();
    }
  });

  it("ends a connection to the host that began while the rules were gone", async (t) => {
    const { pool, options } = await openPool(t);
    const slot = await pool.take("ta-1");
    await pool.close({ remove: false });
    await tool("nft", "delete", "table", "inet", `lydian_${options.instance}`);
    const heard: string[] = [];
    const host = net.createServer((socket) => {
      socket.on("error", () => {}); // it is cut off
      createInterface({ input: socket }).on("line", (line) => {
        heard.push(line);
        socket.write(`heard ${line}\n`);
      });
    });
    host.listen(0, "0.0.0.0");
    await once(host, "listening");
    t.after(() => host.close());
    const { port } = host.address() as net.AddressInfo;
    const talk = await liveIn(
      t,
      slot.netns,
      fileURLToPath(new URL("./talk.ts", import.meta.url)),
      gateway(slot),
      `${port}`,
    );
    talk.tell("early");
    await talk.line(/^heard early/);
    const next = await openPool(t, options);
    talk.tell("late");
    // What comes after it takes longer than an answer would.
    assert.deepEqual(await probe(slot.netns, [{ kind: "tcp", address: gateway(slot), port }]), ["silent"]);
    assert.deepEqual(heard, ["early"]);
    await next.pool.clearOthers(new Set());
  });

  it("goes on when its monitor is killed", async (t) => {
    const { name, restored } = await watched(t);
    const ours = (): number[] =>
      listProcesses()
        .filter(({ parent, command }) => parent === process.pid && command.join(" ") === "nft monitor")
        .map(({ pid }) => pid);
    const [monitor] = await until(
      patienceMs,
      () => ours().length > 0 && ours(),
      () => "there is no monitor",
    );
    process.kill(monitor ?? 0, "SIGKILL");
    await tool("nft", "delete", "table", "inet", name);
    await restored();
    await until(
      patienceMs,
      () => ours().length > 0,
      () => "there is no monitor any more",
    );
  });
});
