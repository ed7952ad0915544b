/** The keeper alone, with small Pythons as functions. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";

import { systemClock } from "@lydian/kit";
import { until } from "@lydian/testkit";

import type { ProcessEnd } from "../../../src/container/exit.ts";
import { type ContainerPlace, containerPlace } from "../../../src/container/folder.ts";
import { parseRecords } from "../../../src/container/log-format.ts";
import { followLog } from "../../../src/container/log-tail.ts";
import { Interpreters } from "../../../src/runners/interpreters.ts";
import type { ContainerProcess } from "../../../src/runtime/runtime.ts";
import { readKeeperRecord } from "../../../src/runtime/process/keeper.ts";
import { isRunning } from "../../../src/runtime/process/process-identity.ts";
import { ProcessRuntime } from "../../../src/runtime/process/process-runtime.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const interpreters = new Interpreters();

interface Bench {
  data: string;
  place: ContainerPlace;
  runtime: ProcessRuntime;
  start(source: string, env?: Record<string, string>): Promise<ContainerProcess>;
  /** The records so far, as `stream tag-resolved text`. */
  log(): Promise<[string, string][]>;
}

async function bench(t: TestContext): Promise<Bench> {
  const data = await temporaryFolder(t);
  const place = containerPlace(data, "ta-1");
  await mkdir(place.folder, { recursive: true });
  await writeFile(place.logFile, "");
  const runtime = new ProcessRuntime({ data, interpreters });
  t.after(() => runtime.clear(place));
  const { program } = await interpreters.any();
  return {
    data,
    place,
    runtime,
    start(source, env = {}) {
      const whole = { MODAL_TASK_ID: "ta-1", MODAL_SERVER_URL: `unix:${place.doorFile}`, ...env };
      return runtime.start(place, { argv: [program, "-u", "-c", source], env: whole, cwd: place.folder });
    },
    async log() {
      return parseRecords(await readFile(place.logFile)).lines.map((line) => [line.stream, line.data.toString()]);
    },
  };
}

/** The first lines of the log, as soon as they are there. */
async function firstText(place: ContainerPlace, wanted: RegExp): Promise<string> {
  let text = "";
  const signal = new AbortController().signal;
  for await (const batch of followLog(place.logFile, 0, { clock: systemClock, ended: signal, signal })) {
    text += Buffer.concat(batch.lines.map((line) => line.data)).toString();
    if (wanted.test(text)) break;
  }
  return text;
}

it("keeps the streams apart, in order, with partial lines at once and long lines in pieces", async (t) => {
  const { place, start, log } = await bench(t);
  const source = `
import os, sys
print("out"); sys.stderr.write("err\\n"); sys.stdout.write("10 %\\r"); open("progress", "w").close()
os.read(os.open("go", os.O_RDONLY), 1)
print("20 %"); os.write(1, b"x" * 20000 + b"\\n"); os.write(1, b"\\xff\\n")`;
  execFileSync("mkfifo", [join(place.folder, "go")]);
  const process = await start(source);
  // The two are separate pipes, so only each by itself has an order.
  const soFar = await firstText(place, /^(?=[^]*err\n)[^]*10 %\r/);
  assert.equal(soFar.replace("err\n", ""), "out\n10 %\r");
  await writeFile(join(place.folder, "go"), "!");
  assert.deepEqual(await process.end, { reason: "exited", code: 0 });
  const lines = await log();
  const stdout = lines.filter(([stream]) => stream === "stdout").map(([, text]) => text);
  assert.ok(stdout.join("") === `out\n10 %\r20 %\n${"x".repeat(20_000)}\n\ufffd\n`);
  assert.ok(stdout.every((text) => text.length <= 8193));
  const stderr = lines.filter(([stream]) => stream === "stderr").map(([, text]) => text);
  assert.equal(stderr.join(""), "err\n");
});

it("gives the process its environment and folder and nothing else, and reports codes and signals", async (t) => {
  const cases: [string, ProcessEnd][] = [
    ["import sys; sys.exit(7)", { reason: "exited", code: 7 }],
    ["import os; os.kill(os.getpid(), 9)", { reason: "signaled", signal: "SIGKILL" }],
    [
      "import signal, os; assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL; os.kill(os.getpid(), 15)",
      { reason: "signaled", signal: "SIGTERM" },
    ],
    [
      "import os; assert set(os.environ) <= {'MODAL_TASK_ID', 'MODAL_SERVER_URL', 'A', 'LC_CTYPE'} and os.environ['A'] == 'b=c\\n', dict(os.environ)",
      { reason: "exited", code: 0 },
    ],
    [
      "import os; assert sorted(os.listdir('/proc/self/fd'))[:3] == ['0', '1', '2'] and len(os.listdir('/proc/self/fd')) == 4",
      { reason: "exited", code: 0 },
    ],
  ];
  for (const [source, end] of cases) {
    await t.test(source.slice(0, 40), async (t) => {
      const { start, log } = await bench(t);
      assert.deepEqual(await (await start(source, { A: "b=c\n" })).end, end, JSON.stringify(await log()));
    });
  }
});

it("says why a process cannot be started", async (t) => {
  const { place, runtime } = await bench(t);
  const spec = { env: {}, cwd: place.folder };
  await assert.rejects(
    runtime.start(place, { argv: ["/no/such/program"], ...spec }),
    /\/no\/such\/program: No such file/,
  );
});

it("ends all descendants with the main process, also those that left its group and session", async (t) => {
  const { place, start } = await bench(t);
  const source = `
import subprocess, os
child = subprocess.Popen(["sleep", "600"], start_new_session=True, env={})
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: os.execvp("sleep", ["sleep", "601"])
    os._exit(0)
os.wait(); print(child.pid)`;
  const process_ = await start(source);
  assert.equal((await process_.end).reason, "exited");
  const pid = Number(await firstText(place, /\n$/));
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

it("can be adopted; whoever watches learns of the end", async (t) => {
  const { place, runtime, start } = await bench(t);
  const first = await start("import time; print('up'); time.sleep(600)");
  await firstText(place, /up/);
  first.release();
  const adoption = await runtime.adopt(place);
  assert.ok(adoption.state === "running");
  adoption.process.signal("SIGTERM");
  assert.deepEqual(await adoption.process.end, { reason: "signaled", signal: "SIGTERM" });
  while (isRunning((await readKeeperRecord(place))!.keeper)) await new Promise(setImmediate);
  assert.deepEqual(await runtime.adopt(place), { state: "ended", end: { reason: "signaled", signal: "SIGTERM" } });
});

it("takes its process along when it is killed, and the sweep finds the rest", async (t) => {
  const { place, runtime, start } = await bench(t);
  const source = `
import subprocess, time
print(subprocess.Popen(["sleep", "600"], start_new_session=True).pid); time.sleep(600)`;
  const kept = await start(source);
  const orphan = Number(await firstText(place, /\n$/));
  const record = await readKeeperRecord(place);
  process.kill(record!.keeper.pid, "SIGKILL");
  const end = await kept.end;
  assert.equal(end.reason, "lost");
  await runtime.clear(place);
  // They were killed, and on a busy host end in a moment.
  await until(
    5_000,
    () => !isRunning(record!.main),
    () => "the function's process is not ended",
  );
  const statOf = (pid: number): Promise<string> => readFile(`/proc/${pid}/stat`, "latin1").catch(() => "gone");
  await until(
    5_000,
    async () => /^gone$|\) Z /.test(await statOf(orphan)),
    () => `${orphan} is not ended`,
  );
});

it("starts in little time and memory", async (t) => {
  const times: number[] = [];
  let pss = "";
  for (let i = 0; i < 5; i++) {
    await t.test(`start ${i}`, async (t) => {
      const { place, start } = await bench(t);
      const began = performance.now();
      const process = await start("import time; time.sleep(600)");
      times.push(Math.round(performance.now() - began));
      const record = await readKeeperRecord(place);
      const rollup = await readFile(`/proc/${record!.keeper.pid}/smaps_rollup`, "latin1");
      pss = /Pss: +(\d+ kB)/.exec(rollup)?.[1] ?? "";
      process.signal("SIGKILL");
      await process.end;
    });
  }
  t.diagnostic(`keeper and process started after ${times.join(", ")} ms; the keeper holds ${pss} (PSS)`);
});
