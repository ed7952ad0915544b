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

async function run(platform: Platform): Promise<{ samples: Samples; serverCpuMs: number }> {
  const server = platform.process("server");
  if (server === undefined) throw new Error("there is no server");
  const program = modal(platform, newestClient, ["run", "-q", "bench/calls.py"], {
    env: { BENCH_ROUNDS: String(rounds) },
  });
  await program.sees("calls alone: begin", 300_000);
  const before = cpuMs(server.pid);
  await program.sees("calls alone: end", 300_000);
  const serverCpuMs = (cpuMs(server.pid) - before) / rounds;
  const end = await program.finish(300_000);
  if (end.code !== 0) throw new Error(program.describe("the client failed"));
  const line = program.stdout.split("\n").find((text) => text.startsWith("{")) ?? "";
  return { samples: JSON.parse(line) as Samples, serverCpuMs };
}

async function latency(): Promise<void> {
  await using platform = await Platform.start({ args: ["--log-level", "warn"] });
  await run(platform); // the first run installs the client's package
  const { samples, serverCpuMs } = await run(platform);
  const { remote, floor } = samples;
  const row = (name: string, share: number): string[] => {
    const [call, trip] = [percentile(remote, share), percentile(floor, share)];
    return [name, ms(call), ms(trip), (call / trip).toFixed(1)];
  };
  printTable(`${rounds} warm calls of an empty function, client ${newestClient}`, [
    ["", ".remote()", "one round trip", "ratio"],
    row("p50", 0.5),
    row("p99", 0.99),
  ]);
  console.log(`  server CPU: ${ms(serverCpuMs)} per call`);
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
  const found = phasesOf(server).filter(({ phase }) => phase !== "loading the program");
  const total = found.reduce((sum, { ms: spent }) => sum + spent, 0);
  const rows = found.map(({ phase, ms: spent }) => [phase, `${((100 * spent) / total).toFixed(0)} %`]);
  printTable("where the server's time goes, start-up left out (sampled)", [["phase", "share"], ...rows]);
}

await latency();
await phases();
