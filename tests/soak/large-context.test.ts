/** A build whose context is larger than any buffer: it is made, in memory that does not grow with it. */
import assert from "node:assert/strict";
import { readFile, statfs } from "node:fs/promises";
import { test } from "node:test";

import { missingClient, modal, newestClient, Platform, temporaryFolder, usualRuntime } from "@lydian/testkit";

import { app } from "../clients/stories.ts";

const gibibyte = 2 ** 30;
const size = 5 * gibibyte;
/** The server's content, the worker's copy of it, the layer, and some air. */
const neededBytes = 4 * size;
/** Server and worker take 100 to 150 MiB each when they do nothing. */
const mostMib = 600;
const patienceMs = 30 * 60_000;

async function lack(): Promise<string | false> {
  if (usualRuntime !== "runc") return "images are made with containers";
  const { bavail, bsize } = await statfs("/tmp");
  return bavail * bsize < neededBytes ? `it needs ${neededBytes / gibibyte} GiB of disk` : missingClient(newestClient);
}

async function peakMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "latin1");
  return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
}

test(
  "a context of 5 GiB becomes an image in bounded memory",
  { skip: await lack(), timeout: patienceMs },
  async (t) => {
    await using folder = await temporaryFolder();
    await using platform = await Platform.start({ runtime: "runc" });
    const env = { CONTEXT_FOLDER: folder.path, CONTEXT_BYTES: String(size) };
    const pidOf = (role: "server" | "worker"): number => platform.process(role)?.pid ?? assert.fail(`no ${role} runs`);
    const began = performance.now();
    await using run = modal(platform, newestClient, ["run", app("large_context.py")], { env });
    assert.match(await run.finishWith(0, patienceMs), /^it is made$/m);
    const peaks = { server: await peakMib(pidOf("server")), worker: await peakMib(pidOf("worker")) };
    const seconds = Math.round((performance.now() - began) / 1000);
    t.diagnostic(`${seconds} s; the most memory in MiB: ${JSON.stringify(peaks)}`);
    for (const [name, mib] of Object.entries(peaks)) assert.ok(mib < mostMib, `${name} has had ${mib} MiB`);
  },
);
