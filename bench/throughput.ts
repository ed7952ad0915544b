/**
 * Many calls by one stock client: maps, batches, spawns, callers in parallel, cancelling; who spends the processor time;
 * and the same work on Ray in the same run.
 */
import { modal, newestClient, Platform, type Program } from "@lydian/testkit";
import { Cgroups } from "@lydian/worker";

import { type CallCeiling, measureCallCeiling } from "./call-ceiling.ts";
import { pidOf } from "./container-host.ts";
import { cpuMs, ms, percentile, printTable } from "./measure.ts";
import { rayRates, rayVersion } from "./ray.ts";
import { type Result, ToldClient } from "./told-client.ts";

const inputs = Number(process.env["BENCH_INPUTS"] ?? 10_000);
/** Milliseconds of processor time, by whom. */
interface Spent {
  readonly server: number;
  readonly worker: number;
  readonly containers: number;
  readonly client: number;
}

class Bench {
  readonly #platform: Platform;
  readonly #client: ToldClient;
  readonly #cgroups: Cgroups;

  constructor(platform: Platform, client: Program, cgroups: Cgroups) {
    this.#platform = platform;
    this.#client = new ToldClient(client);
    this.#cgroups = cgroups;
  }

  async measure(name: string, amount: number): Promise<{ result: Result; spent: Spent }> {
    const before = await this.#spent();
    const result = await this.#client.measure(name, amount);
    const after = await this.#spent();
    const spent = {
      server: after.server - before.server,
      worker: after.worker - before.worker,
      containers: after.containers - before.containers,
      client: after.client - before.client,
    };
    return { result, spent };
  }

  async #spent(): Promise<Spent> {
    const { names } = this.#platform;
    const { cpuMicroseconds } = await this.#cgroups.usage(`/lydian/${names.instance}`);
    return {
      server: cpuMs(pidOf(this.#platform, "server")),
      worker: cpuMs(pidOf(this.#platform, "worker")),
      containers: cpuMicroseconds / 1000,
      client: cpuMs(this.#client.program.pid),
    };
  }
}

/** In this order: the last ones leave calls that nobody answers. */
const measurements: readonly (readonly [name: string, amount: number])[] = [
  ["map, 1 container", inputs],
  ["map, 2 containers", inputs],
  ["map, 1 container, @concurrent", inputs],
  ["map, 2 containers, @concurrent", inputs],
  ["map, @batched of 49", inputs],
  ["method map", inputs],
  ["calls", inputs / 10],
  ["method calls", inputs / 10],
  ["1 caller", 5],
  ["100 callers", 5],
  ["spawn.aio, 50 in flight", inputs],
  ["spawn_map", inputs],
];

async function main(): Promise<void> {
  const rates = new Map<string, number>();
  const rows: string[][] = [];
  let cancels: readonly number[] = [];
  let ceilings: readonly CallCeiling[] = [];
  {
    await using platform = await Platform.start({ runtime: "runc", args: ["--log-level", "warn"] });
    await using client = modal(platform, newestClient, ["run", "-q", "bench/throughput.py"], { listens: true });
    const bench = new Bench(platform, client, await Cgroups.detect());
    await bench.measure("map, 2 containers", inputs / 5); // installs the client's package, fills caches, warms up the server
    ceilings = await measureCallCeiling(await containerOfOne(platform, bench), inputs);
    cancels = (await bench.measure("cancel", 20)).result.samples;
    for (const [name, amount] of measurements) {
      const { result, spent } = await bench.measure(name, amount);
      rates.set(name, result.count / result.seconds);
      console.error(`${name}: ${perSecond(result)}/s`);
      const all = spent.server + spent.worker + spent.containers + spent.client;
      const share = (part: number): string => `${((100 * part) / all).toFixed(0)} %`;
      const { server, worker, containers, client: own } = spent;
      const perInput = ms(server / result.count);
      rows.push([name, perSecond(result), perInput, share(server), share(worker), share(containers), share(own)]);
    }
    client.signal("SIGKILL", "group");
  }
  printTable(`calls of empty functions, ${inputs} inputs, one client ${newestClient}, containers`, [
    ["", "inputs/s", "server CPU each", "of all: server", "worker", "containers", "client"],
    ...rows,
  ]);
  printTable("beside the same client and container with a server that has nothing behind it", [
    ["", "Lydian/s", "that/s", "ratio", "its CPU each"],
    ...ceilings.map(({ name, perSecond: most, serverMs }) => {
      const own = rates.get(name);
      const beside =
        own === undefined ? ["", most.toFixed(0), ""] : [own.toFixed(0), most.toFixed(0), (own / most).toFixed(2)];
      return [name, ...beside, ms(serverMs)];
    }),
  ]);
  printTable(`${cancels.length} cancelled calls, from .cancel() to the exception in the container`, [
    ["", ""],
    ["p50", ms(percentile(cancels, 0.5))],
    ["p99", ms(percentile(cancels, 0.99))],
  ]);
  const ray = await rayRates(inputs);
  if (typeof ray === "string") return console.log(`\nRay ${rayVersion} did not run: ${ray}`);
  printTable(`the same on Ray ${rayVersion}, one driver, 2 processors`, [
    ["", "Lydian/s", "Ray/s", "ratio"],
    ...Object.entries(ray).map(([name, rate]) => {
      const own = rates.get(name) ?? Number.NaN;
      return [name, own.toFixed(0), rate.toFixed(0), (own / rate).toFixed(2)];
    }),
  ]);
}

/** The process of the container of a plain function, which is there after it. */
async function containerOfOne(platform: Platform, bench: Bench): Promise<number> {
  const before = new Set(platform.functions().map(({ pid }) => pid));
  await bench.measure("calls", 1);
  const come = platform.functions().find(({ pid }) => !before.has(pid));
  if (come === undefined) throw new Error("a call has started no container");
  return come.pid;
}

const perSecond = ({ count, seconds }: Result): string => (count / seconds).toFixed(0);

await main();
