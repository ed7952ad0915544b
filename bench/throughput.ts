/**
 * Many calls by one stock client: maps, batches, spawns, callers in parallel, cancelling; who spends the processor time;
 * and the same work on Ray in the same run.
 */
import { modal, newestClient, Platform, type Program, until } from "@lydian/testkit";
import { Cgroups } from "@lydian/worker";

import { pidOf } from "./container-host.ts";
import { cpuMs, ms, percentile, printTable } from "./measure.ts";
import { rayRates, rayVersion } from "./ray.ts";

const inputs = Number(process.env["BENCH_INPUTS"] ?? 10_000);
const patienceMs = 600_000;

interface Result {
  readonly seconds: number;
  readonly count: number;
  readonly samples: readonly number[];
}

/** Milliseconds of processor time, by whom. */
interface Spent {
  readonly server: number;
  readonly worker: number;
  readonly containers: number;
  readonly client: number;
}

class Bench {
  readonly #platform: Platform;
  readonly #client: Program;
  readonly #cgroups: Cgroups;
  #answers = 0;

  constructor(platform: Platform, client: Program, cgroups: Cgroups) {
    this.#platform = platform;
    this.#client = client;
    this.#cgroups = cgroups;
  }

  async measure(name: string, amount: number): Promise<{ result: Result; spent: Spent }> {
    const before = await this.#spent();
    this.#client.tell(`${JSON.stringify({ name, amount })}\n`);
    const line = await until(
      patienceMs,
      () => {
        const answer = this.#client.stdout.split("\n").filter((text) => text.startsWith("{"))[this.#answers];
        if (answer === undefined && this.#client.end !== undefined) throw new Error(this.#client.describe("ended"));
        return answer;
      },
      () => this.#client.describe(`does not answer ${name}`),
    );
    this.#answers++;
    const after = await this.#spent();
    const spent = {
      server: after.server - before.server,
      worker: after.worker - before.worker,
      containers: after.containers - before.containers,
      client: after.client - before.client,
    };
    return { result: JSON.parse(line) as Result, spent };
  }

  async #spent(): Promise<Spent> {
    const { names } = this.#platform;
    const { cpuMicroseconds } = await this.#cgroups.usage(`/lydian/${names.instance}`);
    return {
      server: cpuMs(pidOf(this.#platform, "server")),
      worker: cpuMs(pidOf(this.#platform, "worker")),
      containers: cpuMicroseconds / 1000,
      client: cpuMs(this.#client.pid ?? 0),
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
  {
    await using platform = await Platform.start({ runtime: "runc", args: ["--log-level", "warn"] });
    await using client = modal(platform, newestClient, ["run", "-q", "bench/throughput.py"], { listens: true });
    const bench = new Bench(platform, client, await Cgroups.detect());
    await bench.measure("map, 2 containers", inputs / 5); // installs the client's package, fills caches, warms up the server
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

const perSecond = ({ count, seconds }: Result): string => (count / seconds).toFixed(0);

await main();
