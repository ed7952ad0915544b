/** Containers that begin in a warm starter: the client's own are none the wiser, whatever happens to the starter. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import {
  allGone,
  listProcesses,
  missingClient,
  modal,
  newestClient,
  Platform,
  type ProcessEntry,
  type Program,
  runLydian,
  testEachClient,
  testedClients,
  until,
  usualRuntime,
} from "@lydian/testkit";

import { app, goOn, theFunction } from "./stories.ts";

const skip = usualRuntime === "runc" ? missingClient(newestClient) : "containers cannot run here";
const starters = 1;
const patienceMs = 30_000;

const story = (platform: Platform, version: string, entry: string): Program =>
  modal(platform, version, ["run", app(`begun.py::${entry}`)]);

/** The processes that wait: those of starters that nobody has taken, once they have said that they are ready. */
function waiting({ data }: Platform): ProcessEntry[] {
  const folder = join(data, "worker", "starters");
  const ids = new Set(existsSync(folder) ? readdirSync(folder) : []);
  return listProcesses().filter(({ command, environment }) => {
    return ids.has(environment.get("MODAL_TASK_ID") ?? "") && command.some((word) => word.endsWith("/starter.py"));
  });
}

/** Waits for one that has imported the client: `count` of them have said so. */
async function ready(platform: Platform, count: number): Promise<ProcessEntry> {
  await until(
    patienceMs,
    () => platform.log.split('"a starter waits"').length > count,
    () => platform.describe(`${count} starters have not come`),
  );
  const found = waiting(platform).find(({ command }) => command[0]?.endsWith("python"));
  return found ?? assert.fail(platform.describe("no starter waits"));
}

const start = (options: { data?: string } = {}): Promise<Platform> =>
  Platform.start({ ...options, starters, args: ["--log-level", "debug"] });

/** A platform on which one waits. */
async function warm(version: string): Promise<Platform> {
  await using held = new AsyncDisposableStack();
  const platform = held.use(await start());
  await using first = story(platform, version, "compare");
  await first.finishWith(0);
  await ready(platform, 1);
  held.move();
  return platform;
}

interface Around extends Record<string, unknown> {
  "began in a starter": boolean;
}

async function around(platform: Platform, version: string): Promise<Around> {
  await using run = story(platform, version, "compare");
  const line = (await run.finishWith(0)).split("\n").find((text) => text.startsWith("{"));
  return JSON.parse(line ?? assert.fail(run.describe("has printed no answer"))) as Around;
}

testEachClient(
  "a function finds the same around it, began its container in a starter or not",
  async (version) => {
    await using platform = await start();
    const { "began in a starter": first, ...cold } = await around(platform, version);
    await ready(platform, 1);
    const { "began in a starter": second, ...warmed } = await around(platform, version);
    assert.deepEqual([first, second], [false, true]);
    assert.deepEqual(warmed, cold);
    await ready(platform, 2);
    await platform.stop(); // with one that waits: nothing is left
  },
  usualRuntime === "runc" ? testedClients : [],
);

test(
  "a function in TypeScript finds the same around it, began its container in a starter or not",
  { skip },
  async () => {
    await using platform = await start();
    const look = async (): Promise<Record<string, unknown>> => {
      await using run = runLydian(["run", app("typescript/begun.ts")], platform.env);
      const line = (await run.finishWith(0)).split("\n").find((text) => text.startsWith("{"));
      return JSON.parse(line ?? assert.fail(run.describe("has printed no answer"))) as Record<string, unknown>;
    };
    const { inStarter: first, ...cold } = await look();
    await until(
      patienceMs,
      () => platform.log.includes('"a starter waits"'),
      () => platform.describe("no starter has come"),
    );
    const { inStarter: second, ...warmed } = await look();
    assert.deepEqual([first, second], [false, true]);
    assert.deepEqual(warmed, cold);
  },
);

test("its limits are the container's own", { skip }, async () => {
  await using platform = await warm(newestClient);
  await using run = story(platform, newestClient, "eat");
  assert.match((await run.finishWith(1)).replaceAll(/\s+/g, " "), /memory.*200 MiB/);
});

test("the worker is killed while one waits, and while one runs", { skip }, async () => {
  await using platform = await warm(newestClient);
  await using run = story(platform, newestClient, "main");
  await run.sees(/it runs in ta-\w+/);
  const other = await ready(platform, 2);
  const worker = await platform.kill("worker");
  await platform.replaced("worker", worker);
  await allGone([other], patienceMs);
  const running = theFunction(platform);
  await goOn(running);
  assert.match(await run.finishWith(0), new RegExp(`^answer from ${running.containerId} True$`, "m"));
});

test("one that waits is killed: the next container is started from nothing", { skip }, async () => {
  await using platform = await warm(newestClient);
  process.kill((await ready(platform, 1)).pid, "SIGKILL");
  await using run = story(platform, newestClient, "main");
  await run.sees(/it runs in ta-\w+/);
  const running = theFunction(platform);
  await goOn(running);
  assert.match(await run.finishWith(0), new RegExp(`^answer from ${running.containerId} False$`, "m"));
});
