/** Logs: how late a line is in the client's terminal, what one container can print without loss, and a tail of many lines. */
import { chownSync, mkdtempDisposableSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { setTimeout as delay } from "node:timers/promises";

import { Bells } from "@lydian/kit";
import { LogBook, type LogLine } from "@lydian/server/src/logs/log-book";
import { openStore } from "@lydian/server/src/store/sqlite";
import { modal, newestClient, Platform } from "@lydian/testkit";

import { cpuMs, median, ms, percentile, printTable, quiet } from "./measure.ts";

const program = join(import.meta.dirname, "logs.py");
const rate = Number(process.env["BENCH_LINES_PER_SECOND"] ?? 50_000);
const seconds = Number(process.env["BENCH_SECONDS"] ?? 10);
const kept = Number(process.env["BENCH_KEPT_LINES"] ?? 10_000_000);
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 7);

async function latency(platform: Platform, when = ""): Promise<void> {
  const load = await quiet();
  const count = 200;
  const toWall = Date.now() - performance.now();
  await using run = modal(platform, newestClient, [
    "run",
    `${program}::paced`,
    "--count",
    `${count}`,
    "--pause",
    "0.05",
  ]);
  await run.finishWith(0);
  const late = run.pieces.flatMap(({ at, text }) =>
    [...text.matchAll(/^stamp \d+ ([\d.]+)$/gm)].map(([, stamp]) => at + toWall - Number(stamp) * 1000),
  );
  if (late.length !== count) throw new Error(`${late.length} of ${count} lines came`);
  printTable(
    `from print to the client's terminal, ${count} lines, ${(100 * load).toFixed(0)} % of the machine in use by others ${when}`,
    [
      ["", "p50", "p99", "most"],
      ["a line", ms(median(late)), ms(percentile(late, 0.99)), ms(percentile(late, 1))],
    ],
  );
}

/** What is kept of it is counted on the disk: the client's terminal may be slower. */
async function throughput(platform: Platform): Promise<void> {
  const before = ["server", "worker"] as const;
  const pids = before.map((role) => platform.process(role)?.pid ?? 0);
  const used = pids.map((pid) => cpuMs(pid));
  await using run = modal(platform, newestClient, [
    "run", "-q", `${program}::rate`, "--per-second", `${rate}`, "--seconds", `${seconds}`,
  ]); // prettier-ignore
  await run.finishWith(0, 600_000);
  const spent = pids.map((pid, at) => cpuMs(pid) - (used[at] ?? 0));
  const count = (): Promise<number> =>
    linesOnDisk(join(platform.data, "server"), (text) => text.endsWith(" of a program that is busy"));
  let lines = await count();
  // A quiet client ends before the last of them are written down.
  for (let tries = 0; lines < rate * seconds && tries < 30; tries++) {
    await delay(1_000);
    lines = await count();
  }
  const dropped = await linesOnDisk(join(platform.data, "server"), (text) => text.includes("were dropped"));
  printTable(`one container that prints ${rate} lines in a second, for ${seconds} s`, [
    ["", "kept", "lost", "notices of loss", "server", "worker"],
    [
      "lines",
      `${lines}`,
      `${rate * seconds - lines}`,
      `${dropped}`,
      ...spent.map((each) => `${(each / 10 / seconds).toFixed(0)} % of a core`),
    ],
  ]);
}

/** What others feel of a container that prints without end, and what it takes of the disk. */
async function flood(platform: Platform): Promise<void> {
  const floodSeconds = 30;
  await using run = modal(platform, newestClient, ["run", `${program}::flood`, "--seconds", `${floodSeconds}`]);
  await run.sees("nobody reads all of this", 120_000);
  const sizes: number[] = [];
  const watching = setInterval(() => sizes.push(diskBytes(join(platform.data, "worker", "containers"))), 500);
  await latency(platform, "beside a container that prints without end");
  await run.finish(600_000);
  clearInterval(watching);
  let dropped = 0;
  const kept = await linesOnDisk(join(platform.data, "server"), (text) => {
    dropped += Number(/^(\d+) lines .* were dropped/.exec(text)?.[1] ?? 0);
    return text === "nobody reads all of this";
  });
  printTable(`the container that printed without end, ${floodSeconds} s`, [
    ["", "lines kept", "dropped", "most on the worker's disk"],
    ["", `${kept}`, `${dropped}`, `${(Math.max(...sizes) / 2 ** 20).toFixed(0)} MiB`],
  ]);
}

/** What the files take, holes left out. */
function diskBytes(folder: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder, { recursive: true }) as string[]) {
    if (name.endsWith("/log")) bytes += statSync(join(folder, name), { throwIfNoEntry: false })?.blocks ?? 0;
  }
  return bytes * 512;
}

/** The store knows how much of each log is there; the server is at rest meanwhile. */
async function linesOnDisk(server: string, isCounted: (text: string) => boolean): Promise<number> {
  const store = openStore(join(server, "store.sqlite"), new Bells());
  const book = new LogBook({ folder: join(server, "logs"), store, bells: new Bells() });
  let lines = 0;
  for (const id of await book.ids()) {
    await book.eachBack(id, { from: { segment: 0, bytes: 0 }, since: 0, until: Number.POSITIVE_INFINITY }, (json) => {
      if (isCounted((JSON.parse(json) as LogLine).text.trimEnd())) lines++;
      return true;
    });
  }
  await store.close();
  return lines;
}

/** Lines of an app that was deployed, one each 10 ms up to now. */
async function plant(data: string, appId: string): Promise<void> {
  const server = join(data, "server");
  const store = openStore(join(server, "store.sqlite"), new Bells());
  const book = new LogBook({ folder: join(server, "logs"), store, bells: new Bells() });
  await book.start();
  const portion = 50_000;
  const now = Date.now();
  for (let first = 0; first < kept; first += portion) {
    const lines: LogLine[] = Array.from({ length: portion }, (_, at) => ({
      time: now - (kept - first - at) * 10,
      containerId: "ta-01K00000000000000000000000",
      functionId: "fu-01K00000000000000000000000",
      stream: "stdout",
      text: `line ${first + at} of a program that is busy\n`,
    }));
    await book.append(appId, {
      containerId: "",
      fence: "",
      offset: 0,
      endOffset: 0,
      lines,
      lineEnds: lines.map(() => 0),
    });
  }
  await store.close();
  const { uid, gid } = statSync(server);
  for (const name of readdirSync(server, { recursive: true }) as string[]) chownSync(join(server, name), uid, gid);
}

async function tail(): Promise<void> {
  using folder = mkdtempDisposableSync(join(tmpdir(), "lydian-bench-"));
  const data = folder.path;
  const limits = JSON.stringify({ appLogMib: 100_000, logsMib: 100_000 });
  const options = { data, args: ["--limits", limits, "--log-level", "warn"] };
  let appId = "";
  {
    await using platform = await Platform.start(options);
    await using deploy = modal(platform, newestClient, ["deploy", program]);
    await deploy.finishWith(0);
    await using list = modal(platform, newestClient, ["app", "list", "--json"]);
    appId = /ap-[A-Za-z0-9]{22}/.exec(await list.finishWith(0))?.[0] ?? "";
    await platform.stop();
  }
  await plant(data, appId);
  await using platform = await Platform.start(options);
  const asked = (await fetchTimes(platform, appId)).map((each) => each.map(ms));
  printTable(`the last 100 lines of ${kept}, by one AppFetchLogs; ${rounds} times`, [
    ["", "first", "median", "most"],
    ["of the last hour", ...(asked[0] ?? [])],
    ["of an hour in the middle", ...(asked[1] ?? [])],
    ["with a word that the last 100,000 lines have not", ...(asked[2] ?? [])],
  ]);
}

/** As the command does it, but without the start of its interpreter. */
async function fetchTimes(platform: Platform, appId: string): Promise<number[][]> {
  const { python } = await import("@lydian/testkit");
  const spanMs = kept * 10;
  await using asking = python(platform, newestClient, [
    "-c",
    fetchProgram,
    appId,
    `${spanMs / 2000}`,
    `${rounds}`,
    `line ${kept - 100_000} `,
  ]);
  return JSON.parse((await asking.finishWith(0, 600_000)).trim()) as number[][];
}

const fetchProgram = `
import asyncio, json, sys, time
from modal.client import _Client
from modal._utils.async_utils import synchronizer
from modal_proto import api_pb2
from google.protobuf.timestamp_pb2 import Timestamp
app_id, middle, rounds, word = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
def stamp(seconds):
    return Timestamp(seconds=int(seconds))
@synchronizer.create_blocking
async def main():
    client = await _Client.from_env()
    async def times(since, until, text, wanted):
        took = []
        for _ in range(rounds):
            began = time.perf_counter()
            reply = await client._stub.AppFetchLogs(api_pb2.AppFetchLogsRequest(app_id=app_id, since=stamp(since), until=stamp(until), limit=100, search_text=text))
            took.append((time.perf_counter() - began) * 1000)
            got = sum(len(batch.items) for batch in reply.batches)
            assert got == wanted, (got, wanted)
        return [took[0], sorted(took)[len(took) // 2], max(took)]
    now = time.time()
    print(json.dumps([
        await times(now - 3600, now, "", 100),
        await times(now - middle - 3600, now - middle, "", 100),
        await times(now - 3600, now, word, 1),
    ]))
main()
`;

{
  await using platform = await Platform.start({ args: ["--log-level", "warn"] });
  await using warm = modal(platform, newestClient, ["run", "-q", `${program}::paced`, "--count", "1", "--pause", "0"]);
  await warm.finishWith(0);
  await latency(platform);
  await throughput(platform);
  await flood(platform);
}
if (kept > 0) await tail();
