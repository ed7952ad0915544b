/** Functions that turn against their container: their caller is told what came of it, and nobody else notices. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { type Platform, modal, newestClient, platformOfFile, statusLine, until, usualRuntime } from "@lydian/testkit";
import { Cgroups } from "@lydian/worker/src/cgroups/cgroups";

import { app } from "./stories.ts";

const skip = usualRuntime === "runc" ? false : "containers cannot run here";
const platform = skip === false ? await platformOfFile({ runtime: "runc" }) : undefined;

function there(): Platform {
  assert.ok(platform);
  return platform;
}

/** The most that this process, and so the worker, may have open. */
const mostFiles = Number(/^Max open files +\S+ +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1]);
const files = Math.min(65_536, mostFiles);

/** What each function does, and what its caller hears. */
const stories: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  "makes processes without end": {
    bomb: /^it grows$/,
    threads: /^40\d\d threads, then: can't start new thread$/,
    zombies: /^100 zombies of its own, 0 others$/,
  },
  "takes what it can get": {
    files: /^10000 open files$/,
    limits: new RegExp(`^RLIMIT_NOFILE \\(${files}, ${files}\\), RLIMIT_CORE \\(1, 1\\)$`),
    child_without_memory: /^the child ended with -9$/,
    shared_memory:
      /^RemoteError: .*ran out of memory \(its memory limit is 128 MiB, which its function's option `memory` raises\)\.$/,
  },
  "turns against itself": {
    kills_everybody: /^RemoteError: .* 3 containers crashed .*was killed by SIGKILL\.$/,
    closes_everything: /^FunctionTimeoutError: /,
  },
};

/** The worker holds no container, and so no process of one, once the server has released them all. */
async function containersAreGone(): Promise<void> {
  const held = (): Promise<string[]> => readdir(join(there().data, "worker", "containers"));
  const isEmpty = async (): Promise<boolean> => (await held()).length === 0;
  await until(60_000, isEmpty, () => there().describe("containers are left"));
}

/** All containers of a platform lie in one control group. */
async function halfOfTheProcessesIsLeft(): Promise<void> {
  const group = `/lydian/${there().names.instance}`;
  const files = (await Cgroups.detect()).folders(group).map((folder) => join(folder, "pids.max"));
  const limit = Number(readFileSync(files.find((file) => existsSync(file)) ?? "", "latin1"));
  const most = ["pid_max", "threads-max"].map((name) => Number(readFileSync(`/proc/sys/kernel/${name}`, "latin1")));
  assert.equal(limit, Math.floor(Math.min(...most) / 2));
}

const peakMib = (role: "server" | "worker"): number => {
  const { pid } = there().process(role) ?? {};
  return Number.parseInt(statusLine(pid ?? -1, "VmHWM") ?? "", 10) / 1024;
};

for (const [what, expected] of Object.entries(stories)) {
  test(`one that ${what}: its caller is told, and the next call is answered`, { skip }, async () => {
    const names = Object.keys(expected);
    await using run = modal(there(), newestClient, ["run", "-q", app("hostile.py::main"), "--names", names.join(",")]);
    const output = await run.finishWith(0, 110_000);
    for (const name of names) {
      assert.match(new RegExp(`^${name}: (.*)$`, "m").exec(output)?.[1] ?? "", expected[name] ?? /^$/, name);
    }
    assert.equal(output.match(/^the next call answers 42$/gm)?.length, names.length);
    await containersAreGone();
  });
}

test("200 MiB of output take neither the server's memory nor the worker's", { skip }, async () => {
  const before = { server: peakMib("server"), worker: peakMib("worker") };
  await using run = modal(there(), newestClient, ["run", "-q", app("hostile.py::main"), "--names", "talkative"]);
  assert.match(await run.finishWith(0), /^talkative: 200 MiB said\nthe next call answers 42$/m);
  await containersAreGone(); // the server has the whole log
  for (const role of ["server", "worker"] as const) {
    assert.ok(peakMib(role) < before[role] + 170, `${role}: ${before[role]} MiB before, ${peakMib(role)} MiB at most`);
  }
});

test(
  "one that does not hear SIGTERM ends nevertheless when its app does, and the host has half of its processes",
  { skip },
  async () => {
    await using run = modal(there(), newestClient, ["run", app("hostile.py::stays")]); // -q would hide its output
    await run.sees("it runs");
    await halfOfTheProcessesIsLeft();
    run.signal("SIGINT");
    await run.finish();
    await containersAreGone();
  },
);
