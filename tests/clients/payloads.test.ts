/** Arguments, results and exceptions of all sizes, and those that cannot travel. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";

import { modal, platformOfFile, testEachClient } from "@lydian/testkit";

import { tellStories } from "./told-stories.ts";
import { app } from "./stories.ts";

const platform = await platformOfFile();

tellStories(platform, "payloads.py");

/** What the server may grow by while so much goes through it, in MiB. */
const growthMib = 64;

/** Of a process, in MiB: what it has in memory, or has had at most. */
function memoryOf(pid: number, field: "VmRSS" | "VmHWM"): number {
  const [, kib] = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1024;
}

testEachClient("100 MiB go both ways, and not through the server's memory", async (version) => {
  const { pid } = platform.process("server") ?? {};
  assert.ok(pid);
  await using run = modal(platform, version, ["run", `${app("payloads.py")}::huge`, "--mebibytes", "10,100"]);
  await run.sees(/^10 MiB went both ways$/m, 60_000); // by then it has all its code and buffers
  writeFileSync(`/proc/${pid}/clear_refs`, "5"); // the peak counts from here on
  const before = memoryOf(pid, "VmRSS");
  assert.match(await run.finishWith(0, 100_000), /^100 MiB went both ways$/m);
  const grown = memoryOf(pid, "VmHWM") - before;
  assert.ok(grown < growthMib, `the server grew by ${grown.toFixed(0)} MiB`);
});
