/**
 * Cold starts in containers by the stock client, by phase, beside bare runc; twenty at once beside twenty times one; what
 * is freed when a container ends, and when; and what a platform that waits holds for each container.
 */
import { loadavg } from "node:os";

import { modal, newestClient, Platform, type Program, until } from "@lydian/testkit";

import { floorOf } from "./container-floor.ts";
import { conmonOf, containersCpuMs, kill, pidOf, platformCpuMs, pssKib } from "./container-host.ts";
import { median, ms, percentile, printTable, quiet } from "./measure.ts";
import { coldPhases, type LogLine, linesOf, type Phases, warmPhases } from "./platform-log.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 20);
const crowd = 20;
/** How long each call of a crowd, and one alone, keeps its container: a container that waits takes processor time, too. */
const staySeconds = 25;
const patienceMs = 300_000;

/** The client that calls, and what the platform says meanwhile. */
class Bench {
  readonly platform: Platform;
  readonly #client: Program;
  #answers = 0;

  constructor(platform: Platform, client: Program) {
    this.platform = platform;
    this.#client = client;
  }

  /** Asks the client; answers what it says and what the platform said. */
  async ask(request: string): Promise<{ answer: unknown; from: number }> {
    const from = this.platform.log.length;
    this.#client.tell(`${request}\n`);
    const said = (): string | undefined =>
      this.#client.stdout.split("\n").filter((line) => line.startsWith("{"))[this.#answers];
    const line = await until(
      patienceMs,
      () => (this.#client.end === undefined ? said() : (said() ?? "ended")),
      () => this.platform.describe(this.#client.describe(`does not answer ${request}`)),
    );
    if (line === "ended") throw new Error(this.platform.describe(this.#client.describe(`did not answer ${request}`)));
    this.#answers++;
    return { answer: (JSON.parse(line) as { answer: unknown }).answer, from };
  }

  /** Waits until this has been said; answers all that has. */
  async hears(from: number, what: string, fits: (line: LogLine) => boolean): Promise<LogLine[]> {
    return await until(
      patienceMs,
      () => {
        const lines = linesOf(this.platform.log, from);
        return lines.some(fits) && lines;
      },
      () => this.platform.describe(`it has not said: ${what}`),
    );
  }
}

async function coldStarts(bench: Bench): Promise<Phases[]> {
  const all: Phases[] = [];
  for (let round = -1; round < rounds; round++) {
    await quiet();
    const { answer, from } = await bench.ask("once");
    // The next call finds the host as it was.
    const lines = await bench.hears(from, "network gone", ({ step }) => step === "network gone");
    if (round >= 0) all.push(coldPhases(lines, answer as number)); // the first one fills caches
  }
  return all;
}

/** Where each container begins in a starter, and each call waits until the next one is there. */
async function warmStarts(): Promise<Phases[]> {
  await using platform = await Platform.start({ runtime: "runc", starters: 1, args: ["--log-level", "debug"] });
  await using client = modal(platform, newestClient, ["run", "-q", "bench/containers.py"], { listens: true });
  const bench = new Bench(platform, client);
  const all: Phases[] = [];
  for (let round = -1; round < rounds; round++) {
    const { from } = await bench.ask("plain");
    await bench.hears(from, "network gone", ({ step }) => step === "network gone");
    const lines = await bench.hears(from, "a starter waits", ({ msg }) => msg === "a starter waits");
    if (round >= 0) all.push(warmPhases(lines)); // the first one had none
    await quiet();
  }
  return all;
}

interface Crowd {
  /** Until half of them had their first input, and until all had. */
  readonly halfMs: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly ids: readonly string[];
}

/** So many calls at once, each of which keeps its container until all have begun; the containers stay. */
async function crowdOf(bench: Bench, size: number, seconds: number): Promise<Crowd> {
  const { platform } = bench;
  await quiet();
  const before = platformCpuMs(platform);
  const { from } = await bench.ask(`crowd ${size} ${seconds}`);
  const lines = linesOf(platform.log, from);
  const ids = lines.filter(({ msg }) => msg === "assigned").map(({ container = "" }) => container);
  if (ids.length !== size) throw new Error(platform.describe(`${ids.length} containers came for ${size} calls`));
  const began = Math.min(...lines.filter(({ rpc }) => rpc === "FunctionMap").map((line) => line.at - (line.ms ?? 0)));
  // While the calls hold their containers, only those that have just started get an answer.
  const inputs = lines.filter(({ rpc }) => rpc === "FunctionGetInputs").map(({ at }) => at - began);
  const [halfMs = Number.NaN, wallMs = Number.NaN] = [inputs[Math.ceil(size / 2) - 1], inputs[size - 1]];
  if (wallMs > seconds * 1000) throw new Error(`${size} containers took ${ms(wallMs)} to start, longer than the calls`);
  const cpuMs = platformCpuMs(platform) - before + (await containersCpuMs(ids));
  return { halfMs, wallMs, cpuMs, ids };
}

interface Ends {
  readonly heard: number[];
  readonly freed: number[];
  readonly network: number[];
}

/** Kills the functions of idle containers one after the other: how long from the end of each until all of it is gone. */
async function ends(bench: Bench): Promise<Ends> {
  const found: Ends = { heard: [], freed: [], network: [] };
  for (const { pid, containerId } of bench.platform.functions()) {
    await quiet();
    const from = bench.platform.log.length;
    const ended = await kill(pid);
    const of = (step: string) => (line: LogLine) => line.container === containerId && line.step === step;
    const lines = await bench.hears(from, "network gone", of("network gone"));
    const at = (step: string): number => (lines.find(of(step))?.at ?? Number.NaN) - ended;
    found.heard.push(at("ended"));
    found.freed.push(at("cleared"));
    found.network.push(at("network gone"));
  }
  return found;
}

function row(name: string, samples: readonly number[]): string[] {
  return [name, ...[0.5, 0.95, 0].map((share) => ms(percentile(samples, share)))];
}

function printPhases(title: string, all: readonly Phases[], floor: string[][] = []): void {
  const names = [...(all[0]?.keys() ?? [])];
  const rows = names.map((name) =>
    row(
      name,
      all.map((phases) => phases.get(name) ?? Number.NaN),
    ),
  );
  printTable(`${rounds} ${title}, one at a time, client ${newestClient}`, [
    ["", "p50", "p95", "least"],
    ...rows,
    ...floor,
  ]);
}

async function main(): Promise<void> {
  await using platform = await Platform.start({ runtime: "runc", args: ["--log-level", "debug"] });
  await using client = modal(platform, newestClient, ["run", "-q", "bench/containers.py"], { listens: true });
  const bench = new Bench(platform, client);
  const load = [loadavg()[0] ?? 0];
  const phases = await coldStarts(bench);

  const alone: Crowd[] = [];
  const memory = (): number[] => [pssKib(pidOf(platform, "server")), pssKib(pidOf(platform, "worker"))];
  for (let round = 0; round < 3; round++) {
    await ends(bench); // or the one that is there would take the next call
    alone.push(await crowdOf(bench, 1, staySeconds));
  }
  const floor = await floorOf(platform, alone.at(-1)?.ids[0] ?? "", rounds);
  await ends(bench);
  const before = memory();
  const many = await crowdOf(bench, crowd, staySeconds);
  const after = memory();
  const conmons = many.ids.map((id) => pssKib(conmonOf(id)));
  const functions = platform.functions().map(({ pid }) => pssKib(pid));
  const gone = await ends(bench);
  const warm = await warmStarts();
  load.push(loadavg()[0] ?? 0);

  printPhases("cold starts from nothing", phases, [
    row("floor: bare runc, same root and configuration, to the end of the import", floor),
  ]);
  printPhases("cold starts from a starter", warm);
  const one = median(alone.map(({ cpuMs }) => cpuMs));
  printTable(`${crowd} cold starts at once`, [
    ["", `${crowd} at once`, `${crowd} x one`],
    ["call to first input, half of them", ms(many.halfMs), ""],
    ["call to first input, all of them", ms(many.wallMs), ms(crowd * median(alone.map(({ wallMs }) => wallMs)))],
    ["processor time: containers, runc, conmon, worker, server", ms(many.cpuMs), ms(crowd * one)],
  ]);
  printTable("the end of a container: after its process has ended", [
    ["", "p50", "p95", "least"],
    row("the worker knows", gone.heard),
    row("processes, memory, mounts, control group and folders are gone", gone.freed),
    row("its network as well", gone.network),
  ]);
  const kib = (value: number): string => `${value.toFixed(0)} KiB`;
  const growth = before.map((kept, index) => ((after[index] ?? 0) - kept) / crowd);
  printTable(`memory (PSS) of a platform that waits, for each of ${crowd} idle containers`, [
    ["", "each"],
    ["conmon", kib(median(conmons))],
    ["growth of the server", kib(growth[0] ?? 0)],
    ["growth of the worker", kib(growth[1] ?? 0)],
    ["(the function's own)", kib(median(functions))],
  ]);
  console.log(`\n  load of the machine (1 min) before and after: ${load.map((value) => value.toFixed(1)).join(", ")}`);
}

await main();
