/**
 * Functions in TypeScript called from TypeScript: single calls beside a bare round trip, maps, spawns beside Ray's, cold
 * starts, `lydian run` from end to end, and how long after a save `lydian serve` answers with what was saved.
 */
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import http from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { Platform, Program, repositoryRoot, runLydian, until } from "@lydian/testkit";

import { pidOf } from "./container-host.ts";
import { cpuMs, ms, percentile, printTable, quiet } from "./measure.ts";
import { linesOf } from "./platform-log.ts";
import { rayRates, rayVersion } from "./ray.ts";

const inputs = Number(process.env["BENCH_INPUTS"] ?? 10_000);
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 300);
const fewRounds = Math.max(5, Math.round(rounds / 30));
const patienceMs = 600_000;
/** On a machine that others use the measurements go on after that: the loads beside the tables say so. */
const restMs = 1_000;
const rest = (): Promise<number> => quiet(restMs);

type Answer = { seconds: number; count: number; samples?: undefined } | { samples: number[] };

/** The program that calls; it answers one measurement after the other. */
class Client {
  readonly #program: Program;
  readonly #platform: Platform;
  #answers = 0;

  constructor(platform: Platform) {
    this.#platform = platform;
    const args = ["--conditions=lydian-source", "bench/typescript-client.ts"];
    this.#program = new Program(process.execPath, args, { cwd: repositoryRoot, env: platform.env, listens: true });
  }

  async measure(name: string, amount: number): Promise<Answer> {
    this.#program.tell(`${JSON.stringify({ name, amount })}\n`);
    const said = (): string | undefined =>
      this.#program.stdout.split("\n").filter((line) => line.startsWith("{"))[this.#answers];
    const line = await until(
      patienceMs,
      () => {
        const answer = said();
        if (answer === undefined && this.#program.end !== undefined) throw new Error(this.#program.describe("ended"));
        return answer;
      },
      () => this.#platform.describe(this.#program.describe(`does not answer ${name}`)),
    );
    this.#answers++;
    return JSON.parse(line) as Answer;
  }

  async samples(name: string, amount: number): Promise<readonly number[]> {
    return (await this.measure(name, amount)).samples ?? [];
  }

  /** Calls in a second, and what server and client spend on one. */
  async rate(name: string, amount: number): Promise<{ perSecond: number; server: number; client: number }> {
    await rest();
    const spent = (): readonly [number, number] => [cpuMs(pidOf(this.#platform, "server")), cpuMs(this.#program.pid)];
    const before = spent();
    const answer = await this.measure(name, amount);
    if (answer.samples !== undefined) throw new Error(`${name} is no rate`);
    const [server = 0, client = 0] = spent().map((value, index) => (value - (before[index] ?? 0)) / answer.count);
    return { perSecond: answer.count / answer.seconds, server, client };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}

/** Warm calls beside bare round trips: bundled with others, as the client sends them, and on a stream of their own. */
interface Single {
  readonly remote: readonly number[];
  readonly trip: readonly number[];
  readonly alone: readonly number[];
  /** Requests that the platform gets for one call: from the client and from the container. */
  readonly requests: number;
}

async function calls(): Promise<{ single: Single; rates: [string, Awaited<ReturnType<Client["rate"]>>][] }> {
  await using platform = await Platform.start({ args: ["--log-level", "warn"] });
  await using client = new Client(platform);
  await client.measure("map, 1 container, concurrent", inputs / 5); // the code is warm
  await client.measure("remote()", 5 * rounds); // four programs take that long until theirs is compiled
  await rest();
  const [trip, alone] = [await client.samples("round trip", rounds), await client.samples("round trip, alone", rounds)];
  const remote = await client.samples("remote()", rounds);
  const names = [
    "calls",
    "map, 1 container",
    "map, 1 container, concurrent",
    "map, 1 container, batched",
    "spawn, 64 in flight",
    "spawn, all at once",
    "spawnMap",
  ];
  const rates: [string, Awaited<ReturnType<Client["rate"]>>][] = [];
  // What goes one by one takes long, and its rate does not depend on how many there are.
  const fewer: Readonly<Record<string, number>> = { calls: 10, "map, 1 container, batched": 2 };
  for (const name of names) rates.push([name, await client.rate(name, inputs / (fewer[name] ?? 1))]);
  return { single: { remote, trip, alone, requests: await requestsOfOne() }, rates };
}

/** Counted by what the platform says, at rest. */
async function requestsOfOne(): Promise<number> {
  const rpcs = new Set(["FunctionMap", "FunctionGetOutputs", "Call", "FunctionGetInputs", "FunctionPutOutputs"]);
  await using platform = await Platform.start({ args: ["--log-level", "debug"] });
  await using client = new Client(platform);
  await client.measure("remote()", 1);
  const from = platform.log.length;
  const few = 10;
  await client.measure("remote()", few - 1); // and one before them
  return linesOf(platform.log, from).filter(({ rpc }) => rpc !== undefined && rpcs.has(rpc)).length / few;
}

/** From the platform's taking of a call to its first container's taking of the input; in a warm starter, or from nothing. */
async function coldStarts(starters: number): Promise<readonly number[]> {
  await using platform = await Platform.start({ starters, args: ["--log-level", "debug"] });
  await using client = new Client(platform);
  const samples: number[] = [];
  const waiting = (): number => platform.log.split('"a starter waits"').length;
  for (let round = -1; round < fewRounds; round++) {
    const [from, before] = [platform.log.length, waiting()];
    await client.measure("once", 1);
    const lines = linesOf(platform.log, from);
    const call = lines.find(({ rpc }) => rpc === "Call");
    const taken = lines.find(({ rpc }) => rpc === "FunctionGetInputs");
    if (call === undefined || taken === undefined) throw new Error("the platform has said nothing of a call");
    if (round >= 0) samples.push(taken.at - (call.at - (call.ms ?? 0))); // the first one fills caches
    if (starters > 0)
      await until(
        patienceMs,
        () => waiting() > before,
        () => platform.describe("no starter waits"),
      );
    await rest();
  }
  return samples;
}

async function runs(platform: Platform): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let round = -1; round < fewRounds; round++) {
    await rest();
    await using program = runLydian(["run", "-q", "examples/typescript/hello.ts"], platform.env);
    await program.finishWith(0);
    if (round >= 0) samples.push(performance.now() - program.startedAt);
  }
  return samples;
}

async function saves(platform: Platform): Promise<readonly number[]> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "lydian-bench-"));
  const file = join(folder.path, "served.ts");
  const save = (round: number): Promise<void> =>
    writeFile(
      file,
      `import { App } from "lydian";\nexport const api = new App("served").webEndpoint(() => new Response("${round}"));\n`,
    );
  await save(-2);
  await using program = runLydian(["serve", file], platform.env);
  await program.sees(/^Serving served;/m);
  const url = /api answers at (\S+)/.exec(program.stdout)?.[1] ?? "";
  await ask(platform, url);
  const samples: number[] = [];
  for (let round = -1; round < fewRounds; round++) {
    await rest();
    const began = performance.now();
    await save(round);
    await program.sees(new RegExp(`(?:^Serving served;[\\s\\S]*){${round + 3}}`, "m"));
    const answer = await ask(platform, url);
    if (answer !== String(round)) throw new Error(`after save ${round} it answers ${answer}`);
    if (round >= 0) samples.push(performance.now() - began);
  }
  return samples;
}

/** At the platform's port, whatever the host name resolves to here. */
async function ask(platform: Platform, url: string): Promise<string> {
  const { port } = new URL(platform.url);
  const { host } = new URL(url);
  const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get({ host: "127.0.0.1", port, headers: { host } }, resolve).on("error", reject);
  });
  return await text(answer);
}

const load = [loadavg()[0] ?? 0];
const { single, rates } = await calls();
printTable(`${rounds} warm calls of an empty function, beside bare requests of the same client`, [
  ["", "remote()", "aim", "a request", "ratio", "one on its own stream", "ratio"],
  ...[0.5, 0.99].map((share) => {
    const [call, floor, alone] = [single.remote, single.trip, single.alone].map((each) => percentile(each, share)) as [
      number,
      number,
      number,
    ];
    const ratios = [floor, alone].flatMap((each) => [ms(each), (call / each).toFixed(1)]);
    return [`p${share * 100}`, ms(call), share === 0.5 ? "3 ms" : "", ...ratios];
  }),
]);
console.log(
  `  one call is ${single.requests.toFixed(1)} requests to the platform: one of its client, the others of the container`,
);
const aims: Readonly<Record<string, number>> = {
  "map, 1 container": 2_000,
  "map, 1 container, concurrent": 2_000,
  "spawn, 64 in flight": 4_000,
  "spawn, all at once": 4_000,
};
printTable(`empty functions, ${inputs} inputs (calls and batched maps fewer), one client`, [
  ["", "each second", "aim", "server CPU each", "client CPU each"],
  ...rates.map(([name, { perSecond, server, client }]) => [
    name,
    perSecond.toFixed(0),
    aims[name]?.toFixed(0) ?? "",
    ms(server),
    ms(client),
  ]),
]);
const cold = { warm: await coldStarts(1), nothing: await coldStarts(0) };
const platform = await Platform.start({ args: ["--log-level", "warn"] });
const run = await runs(platform);
const save = await saves(platform);
await platform[Symbol.asyncDispose]();
load.push(loadavg()[0] ?? 0);
const row = (name: string, aim: string, samples: readonly number[]): string[] => [
  name,
  aim,
  ...[0.5, 0.95, 0].map((share) => ms(percentile(samples, share))),
];
printTable(`${fewRounds} times each`, [
  ["", "aim", "p50", "p95", "least"],
  row("cold start in a warm starter (the default), call to first input taken", "200 ms", cold.warm),
  row("cold start from nothing", "", cold.nothing),
  row("lydian run hello.ts, from end to end", "1200 ms", run),
  row("lydian serve, from a save to the first answer with it", "1000 ms", save),
]);
console.log(`\n  load of the machine (1 min) before and after: ${load.map((value) => value.toFixed(1)).join(", ")}`);
const ray = await rayRates(inputs);
if (typeof ray === "string") console.log(`\nRay ${rayVersion} did not run: ${ray}`);
else {
  const pairs = { calls: "calls", "map, 2 containers": "spawn, all at once" } as const;
  printTable(`the same on Ray ${rayVersion}, one driver, 2 processors (its calls are kept in memory alone)`, [
    ["", "Lydian/s", "Ray/s", "ratio"],
    ...Object.entries(pairs).map(([theirs, ours]) => {
      const own = rates.find(([name]) => name === ours)?.[1].perSecond ?? Number.NaN;
      const other = ray[theirs] ?? Number.NaN;
      return [ours, own.toFixed(0), other.toFixed(0), (own / other).toFixed(2)];
    }),
  ]);
}
