/**
 * Warm calls of an empty function by the stock client, against the same client's own round trip; and what the server
 * spends on a call, by phase, as a sampling profile of the server's process tells.
 */
import { chmod, mkdtempDisposable, readFile, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Platform, modal, newestClient } from "@lydian/testkit";

import { cpuMs, ms, percentile, printTable } from "./measure.ts";
import { phasesOf } from "./phases.ts";

interface Samples {
  remote: number[];
  floor: number[];
}

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 500);

async function run(platform: Platform): Promise<Samples> {
  const program = modal(platform, newestClient, ["run", "-q", "bench/calls.py"], {
    env: { BENCH_ROUNDS: String(rounds) },
  });
  const end = await program.finish(300_000);
  if (end.code !== 0) throw new Error(program.describe("the client failed"));
  return JSON.parse(program.stdout.trim().split("\n").at(-1) ?? "") as Samples;
}

async function latency(): Promise<void> {
  await using platform = await Platform.start({ args: ["--log-level", "warn"] });
  await run(platform); // the first run installs the client's package
  const server = platform.process("server");
  if (server === undefined) throw new Error("there is no server");
  const before = cpuMs(server.pid);
  const { remote, floor } = await run(platform);
  const spent = cpuMs(server.pid) - before;
  const row = (name: string, share: number): string[] => {
    const [call, trip] = [percentile(remote, share), percentile(floor, share)];
    return [name, ms(call), ms(trip), (call / trip).toFixed(1)];
  };
  printTable(`${rounds} warm calls of an empty function, client ${newestClient}`, [
    ["", ".remote()", "one round trip", "ratio"],
    row("p50", 0.5),
    row("p99", 0.99),
  ]);
  console.log(`  server CPU of the whole run, start and end included: ${ms(spent / (rounds + 50))} per call`);
}

async function phases(): Promise<void> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "lydian-bench-"));
  await chmod(folder.path, 0o777); // the server writes its profile as another user
  {
    const nodeArgs = ["--cpu-prof", "--cpu-prof-interval=200", `--cpu-prof-dir=${folder.path}`];
    await using platform = await Platform.start({ args: ["--log-level", "warn"], nodeArgs });
    await run(platform);
  }
  const profiles = await Promise.all(
    (await readdir(folder.path)).map(async (name) => readFile(join(folder.path, name), "utf8")),
  );
  const server = profiles.find((profile) => profile.includes("packages/server/src/rpc/"));
  if (server === undefined) throw new Error("the server has left no profile");
  const rows = phasesOf(server).map(({ phase, ms: total }) => [phase, ms(total / (rounds + 50))]);
  printTable("server CPU per call, by phase (sampled)", [["phase", "per call"], ...rows]);
}

await latency();
await phases();
