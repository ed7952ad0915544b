/**
 * Web functions beside their ceiling, which is what the same container does when nothing stands behind its RPCs, and beside the
 * same application behind uvicorn alone: requests by `wrk`, a gigabyte each way; the latency of a call of the stock client; what
 * a thousand open web sockets take of the server.
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { debianPrograms, modal, newestClient, Platform } from "@lydian/testkit";
import { WebSocket } from "ws";

import { cpuMs, ms, percentile, printTable } from "./measure.ts";
import { measureCeiling } from "./web-ceiling.ts";
import type { Ceiling } from "./web-ceiling-server.ts";

const run = promisify(execFile);
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 500);
const seconds = Number(process.env["BENCH_SECONDS"] ?? 10);
const sockets = 1_000;
const mebibytes = Number(process.env["BENCH_MEBIBYTES"] ?? 1_024);
const connectionCounts = [1, 100];
const programs = await debianPrograms(["wrk", "libluajit-5.1-2"], process.env["LYDIAN_CACHE"] ?? "/var/cache/lydian");
if (typeof programs === "string") throw new Error(programs);
const { env, path: pathOf } = programs;

await using platform = await Platform.start({ args: ["--log-level", "warn", "--workspace", "home"] });
{
  await using deploy = modal(platform, newestClient, ["deploy", join(import.meta.dirname, "web.py")]);
  await deploy.finishWith(0, 300_000);
}
const server = platform.process("server")?.pid ?? 0;
const { port } = new URL(platform.url);
const host = (name: string): string => `home--bench-web-${name}.localhost:${port}`;
const agent = new Agent({ keepAlive: true });

function ask(name: string, path: string, method = "GET"): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { host: host(name) };
    request({ agent, host: "127.0.0.1", port, path, method, headers }, resolve).on("error", reject).end();
  });
}

/** Until the answer has ended; answers how many bytes that were. */
async function whole(answer: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const piece of answer) bytes += (piece as Buffer).length;
  return bytes;
}

const ratio = (is: number, of: number, aim: number): string => `${(is / of).toFixed(2)} (aim ${aim})`;

interface Containers {
  /** Its main process answers `api`. */
  api: number;
  /** What `alone` has started. */
  uvicorn: number;
}

function containers(): Containers {
  const all = platform.functions().map((each) => ({
    main: each.pid,
    uvicorn: platform.processesOf(each).find(({ command }) => command.includes("uvicorn"))?.pid,
  }));
  const api = all.find(({ uvicorn }) => uvicorn === undefined)?.main;
  const uvicorn = all.find((each) => each.uvicorn !== undefined)?.uvicorn;
  if (api === undefined || uvicorn === undefined) throw new Error("a container is missing");
  return { api, uvicorn };
}

async function wrkOf(prefix: readonly string[], url: string, connections: number, script: string) {
  const args = ["-t", "1", "-c", String(connections), "-d", `${seconds}s`, "--latency", "-s", script, url];
  const [program = "", ...rest] = [...prefix, pathOf("wrk"), ...args];
  const { stdout } = await run(program, rest, { env });
  const found = (pattern: RegExp): string => pattern.exec(stdout)?.[1] ?? "?";
  return {
    p50: found(/50%\s+(\S+)/),
    p99: found(/99%\s+(\S+)/),
    perSecond: Number(found(/Requests\/sec:\s+([\d.]+)/)),
    errors: found(/(Non-2xx or 3xx responses: \d+|Socket errors: .*)/),
  };
}

async function requests(pids: Containers, ceiling: Ceiling): Promise<void> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "lydian-bench-"));
  const script = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder.path, name), text);
    return join(folder.path, name);
  };
  const towards = (name: string): Promise<string> => script(`${name}.lua`, `wrk.headers["Host"] = "${host(name)}"\n`);
  const [ours, served, plain] = [await towards("api"), await towards("alone"), await script("plain.lua", "")];
  const uvicorn = ["nsenter", "-t", String(pids.uvicorn), "-n"];
  const spenders = { server, worker: platform.process("worker")?.pid ?? 0, container: pids.api };
  for (const [i, connections] of connectionCounts.entries()) {
    await wrkOf([], platform.url, connections, ours); // warm
    const before = Object.values(spenders).map((pid) => cpuMs(pid));
    const way = await wrkOf([], platform.url, connections, ours);
    const spent = Object.entries(spenders).map(
      ([name, pid], at) => `${name} ${ms((cpuMs(pid) - (before[at] ?? 0)) / (way.perSecond * seconds))}`,
    );
    const through = await wrkOf([], platform.url, connections, served);
    const alone = await wrkOf(uvicorn, "http://127.0.0.1:8000/", connections, plain);
    const best = ceiling.requests[i];
    const ofCeiling = ratio(way.perSecond, best?.perSecond ?? 0, 0.8);
    printTable(`an empty answer, ${connections} connections, ${seconds} s of wrk`, [
      ["", "p50", "p99", "requests/s", "ratio", "errors"],
      ["asgi_app", way.p50, way.p99, way.perSecond.toFixed(0), ofCeiling, way.errors],
      ["its ceiling", ms(best?.p50 ?? 0), ms(best?.p99 ?? 0), (best?.perSecond ?? 0).toFixed(0), "", ""],
      [
        "web_server of uvicorn",
        through.p50,
        through.p99,
        through.perSecond.toFixed(0),
        ratio(through.perSecond, alone.perSecond, 0.5),
        through.errors,
      ],
      ["uvicorn alone", alone.p50, alone.p99, alone.perSecond.toFixed(0), "", alone.errors],
    ]);
    console.log(`  CPU time for a request of asgi_app: ${spent.join(", ")}`);
  }
}

/** What the stock client's own call of an empty function takes, in the same run. */
async function calls(): Promise<void> {
  await using program = modal(platform, newestClient, ["run", "-q", "bench/calls.py"], {
    env: { BENCH_ROUNDS: String(rounds) },
  });
  await program.finishWith(0, 300_000);
  const line = program.stdout.split("\n").find((text) => text.startsWith("{")) ?? "";
  const { remote } = JSON.parse(line) as { remote: number[] };
  const web: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    await whole(await ask("api", "/"));
    web.push(performance.now() - began);
  }
  const row = (name: string, samples: number[]): string[] => [
    name,
    ms(percentile(samples, 0.5)),
    ms(percentile(samples, 0.99)),
  ];
  printTable(`${rounds} in a row (aim: a request at most 3 ms / 10 ms above a call)`, [
    ["", "p50", "p99"],
    row("a web request", web),
    row(".remote()", remote),
  ]);
}

const memoryMib = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server}/status`, "utf8"))?.[1]) / 1024;

async function bodies(ceiling: Ceiling): Promise<void> {
  let most = memoryMib();
  const before = most;
  const watch = setInterval(() => (most = Math.max(most, memoryMib())), 50);
  const began = performance.now();
  const sent = request({ host: "127.0.0.1", port, method: "POST", path: "/size", headers: { host: host("api") } });
  const answered = once(sent, "response");
  const piece = Buffer.alloc(1024 * 1024);
  let early = before;
  for (let i = 0; i < mebibytes; i++) {
    if (!sent.write(piece)) await once(sent, "drain");
    if (i === Math.floor(mebibytes / 8)) early = most;
  }
  sent.end();
  await whole(((await answered) as [IncomingMessage])[0]);
  const upSeconds = (performance.now() - began) / 1000;
  const downBegan = performance.now();
  await whole(await ask("api", `/zeros?mebibytes=${mebibytes}`));
  const downSeconds = (performance.now() - downBegan) / 1000;
  clearInterval(watch);
  const row = (name: string, is: number, of: number): string[] => [
    name,
    is.toFixed(0),
    of.toFixed(0),
    ratio(is, of, 0.8),
  ];
  printTable(`${mebibytes} MiB`, [
    ["MiB/s", "through Lydian", "its ceiling", "ratio"],
    row("up", mebibytes / upSeconds, ceiling.up),
    row("down", mebibytes / downSeconds, ceiling.down),
  ]);
  const [first, after, at] = [before, early, most].map((size) => size.toFixed(0));
  console.log(
    `  the server's memory: ${first} MiB before, at most ${after} MiB for the first eighth, ${at} MiB for all`,
  );
}

async function openSockets(): Promise<void> {
  const before = memoryMib();
  const open: WebSocket[] = [];
  const one = async (): Promise<void> => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`, { headers: { host: host("api") } });
    await once(socket, "open");
    socket.send("hello");
    await once(socket, "message");
    open.push(socket);
  };
  while (open.length < sockets - 100) await Promise.all(Array.from({ length: 50 }, one));
  const after = memoryMib();
  console.log(
    `\n${open.length} open web sockets: ${((1024 * (after - before)) / open.length).toFixed(0)} KiB of the server each (aim 100)`,
  );
  for (const socket of open) socket.terminate();
}

for (const name of ["api", "alone"]) await whole(await ask(name, "/")); // their containers are there
const pids = containers();
const ceiling = await measureCeiling(pids.api, { seconds, connections: connectionCounts, mebibytes });
await requests(pids, ceiling);
await calls();
await bodies(ceiling);
await openSockets();
agent.destroy();
