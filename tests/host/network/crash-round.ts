/** One worker that is killed, and one that comes after it: what the tests of crashes and the soak repeat. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { silentLogger, systemClock } from "@lydian/kit";
import { listProcesses, until } from "@lydian/testkit";

import { NetworkPool, type NetworkPoolOptions } from "@lydian/worker/src/network/network-pool";
import { probe, traces } from "./support.ts";

type Options = Pick<NetworkPoolOptions, "instance" | "folder" | "size" | "userns">;

const patienceMs = 20_000;

/** Kills the worker `afterMs` after its start; resolves when no program that it ran is left. */
async function killedWorker(options: Options, afterMs: number): Promise<void> {
  const mark = randomUUID();
  const script = fileURLToPath(new URL("./half-worker.ts", import.meta.url));
  const args = ["--conditions=lydian-source", script, JSON.stringify(options)];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, LYDIAN_TEST_MARK: mark },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  await once(child.stdout, "data");
  child.stdout.resume();
  await delay(afterMs); // the moment of the crash is the test's parameter
  child.kill("SIGKILL");
  const [, signal] = (await closed) as [number | null, string | null];
  assert.equal(signal, "SIGKILL", "it ended by itself");
  const left = (): string[] =>
    listProcesses()
      .filter(({ environment }) => environment.get("LYDIAN_TEST_MARK") === mark)
      .map(({ command }) => command.join(" "));
  await until(
    patienceMs,
    () => left().length === 0,
    () => `programs of the dead worker go on: ${left().join("; ")}`,
  );
}

/** Expects that the next worker finds `kept` in order, and that nothing else is left. Answers the kept slot's index. */
export async function crashRound(options: Options, afterMs: number, kept: number): Promise<number> {
  await killedWorker(options, afterMs);
  const pool = await NetworkPool.open({ ...options, size: 0, logger: silentLogger, clock: systemClock });
  try {
    const slot = await pool.adopt("ta-kept", kept);
    await pool.clearOthers(new Set(["ta-kept"]));
    const found = await traces(options);
    const pins = slot.userns === undefined ? [slot.netns] : [slot.netns, slot.userns];
    assert.deepEqual(found.links, [`ly${options.instance}-${kept}`]);
    assert.deepEqual(new Set(found.mounts), new Set([`${options.folder}/ns`, ...pins]));
    assert.deepEqual(
      found.folder.filter((name) => name.startsWith("slots/")),
      [`slots/${kept}.json`],
    );
    const door = await pool.listen(slot, 8700);
    door.on("connection", (socket) => socket.end("the next worker"));
    assert.deepEqual(await probe(slot.netns, [{ kind: "tcp", address: "127.0.0.1", port: 8700 }]), [
      "said the next worker",
    ]);
    return slot.index;
  } finally {
    await pool.close({ remove: false });
  }
}
