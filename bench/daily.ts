/** What a platform takes while nobody wants anything of it; and what it adds to `modal deploy`, beyond the client's own start. */
import { mkdtempDisposableSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { modal, newestClient, Platform } from "@lydian/testkit";

import { cpuMs, median, ms, percentile, printTable, quiet } from "./measure.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 7);
const idleMs = Number(process.env["BENCH_IDLE_MS"] ?? 30_000);
const roles = ["supervisor", "server", "worker"] as const;

/** Proportional: what processes share is counted once. */
function pssMib(pid: number): number {
  const [, kib = "0"] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1")) ?? [];
  return Number(kib) / 1024;
}

function pids(platform: Platform): number[] {
  return roles.map((role) => platform.process(role)?.pid ?? 0);
}

async function measureIdle(platform: Platform, when: string): Promise<void> {
  const processes = pids(platform);
  const before = processes.map((pid) => cpuMs(pid));
  const began = performance.now();
  await delay(idleMs);
  const took = performance.now() - began;
  const used = processes.map((pid, at) => (100 * (cpuMs(pid) - (before[at] ?? 0))) / took);
  const memory = processes.map(pssMib);
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
  printTable(`idle for ${ms(idleMs)}, ${when}`, [
    ["", ...roles, "together"],
    ["of a core", ...[...used, sum(used)].map((share) => `${share.toFixed(2)} %`)],
    ["PSS", ...[...memory, sum(memory)].map((mib) => `${mib.toFixed(0)} MiB`)],
  ]);
}

await using platform = await Platform.start({ starters: 0 });
await measureIdle(platform, "fresh");

using folder = mkdtempDisposableSync(join(tmpdir(), "lydian-bench-"));
const file = join(folder.path, "daily.py");
const write = (n: number): void =>
  writeFileSync(file, `import modal\napp = modal.App("daily")\n@app.function()\ndef work():\n    return ${n}\n`);

async function took(args: readonly string[]): Promise<number> {
  await quiet();
  const began = performance.now();
  await using run = modal(platform, newestClient, args);
  await run.finishWith(0, 120_000);
  return performance.now() - began;
}

const [starts, unchanged, changed]: [number[], number[], number[]] = [[], [], []];
write(0);
await took(["deploy", file]);
for (let round = 1; round <= rounds; round++) {
  starts.push(await took(["deploy", "--help"]));
  unchanged.push(await took(["deploy", file]));
  write(round);
  changed.push(await took(["deploy", file]));
}
const row = (what: string, times: number[]): string[] => {
  const beyond = ms(median(times.map((time, at) => time - (starts[at] ?? 0))));
  return [what, ms(median(times)), ms(percentile(times, 0)), beyond];
};
printTable(`modal deploy, ${rounds} times`, [
  ["", "median", "lowest", "beyond the client's start"],
  row("the client's start (--help)", starts),
  row("unchanged", unchanged),
  row("one file changed", changed),
]);
await measureIdle(platform, "after the deploys");
