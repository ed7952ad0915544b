/** Dicts and queues by the stock client, against the same client's own round trip; and a queue between containers. */
import { mkdtempDisposable, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Platform, modal, newestClient } from "@lydian/testkit";

import { ms, percentile, printTable } from "./measure.ts";

interface Samples {
  times: Record<string, number[]>;
  /** Items per second. */
  rate: number;
}

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 300);

async function run(platform: Platform): Promise<Samples> {
  const env = { BENCH_ROUNDS: String(rounds) };
  await using program = modal(platform, newestClient, ["run", "-q", "bench/state.py"], { env });
  await program.finishWith(0, 600_000);
  return JSON.parse(program.stdout.split("\n").find((line) => line.startsWith("{")) ?? "") as Samples;
}

/** What is written has to be on disk before its reply: the time of that alone. */
async function syncs(): Promise<number[]> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "lydian-bench-"));
  await using file = await open(join(folder.path, "file"), "w");
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await file.write(Buffer.alloc(16_384, round));
    const began = performance.now();
    await file.datasync();
    times.push(performance.now() - began);
  }
  return times;
}

await using platform = await Platform.start({ args: ["--log-level", "warn"] });
const { times, rate } = await run(platform);
const { floor = [], ...others } = times;
const row = (name: string, samples: number[]): string[] => {
  const [p50, p99] = [percentile(samples, 0.5), percentile(samples, 0.99)];
  return [name, ms(p50), ms(p99), (p50 / percentile(floor, 0.5)).toFixed(2)];
};
printTable(`${rounds} of each, client ${newestClient} (aim: ratio at most 1.5)`, [
  ["", "p50", "p99", "ratio of p50"],
  row("one round trip", floor),
  ...Object.entries(others).map(([name, samples]) => row(name, samples)),
  row("(fdatasync of 16 KiB)", await syncs()),
]);
console.log(`  a queue between 8 producers and 8 consumers, a container each: ${rate.toFixed(0)} items/s, none lost`);
