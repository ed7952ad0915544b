/**
 * Run as a process of its own: the whole server on a port of this machine, with the data in the given folder. Answers each
 * line of stdin with what it weighs after a garbage collection, and how long its event loop stood still at most since the
 * line before.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

import { silentLogger, systemClock } from "@lydian/kit";

import { serverConfigSchema } from "../../src/config.ts";
import { DiskPlace } from "../../src/content/disk-place.ts";
import { startServer } from "../../src/server.ts";
import { testToken } from "../ingress/rig.ts";

const [, , data = ""] = process.argv;
mkdirSync(data, { recursive: true });
const config = serverConfigSchema.parse({
  data,
  publicUrl: "http://127.0.0.1",
  workspace: "home",
  ownerToken: { id: testToken.id, secretSha256: createHash("sha256").update(testToken.secret).digest("hex") },
  workerSecret: "w".repeat(40),
});
const listenAt = { host: "127.0.0.1", port: 0 };
const place = new DiskPlace(join(data, "content"));
const server = await startServer({ config, clock: systemClock, log: silentLogger, listenAt, place });
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.stdout.write(`${server.port.number}\n`);

for await (const _line of createInterface({ input: process.stdin })) {
  const stoodStillMs = delay.max / 1e6;
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const rssMib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
  const { heapUsed } = process.memoryUsage();
  await pause(20); // the collections themselves do not count
  delay.reset();
  process.stdout.write(`${JSON.stringify({ rssMib, heapMib: heapUsed / 2 ** 20, stoodStillMs })}\n`);
}
await server.close();
process.exit(0);
