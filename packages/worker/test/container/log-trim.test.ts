import assert from "node:assert/strict";
import { appendFile, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";

import { systemClock } from "@lydian/kit";

import { followLog } from "../../src/container/log-tail.ts";
import { LogTrim } from "../../src/container/log-trim.ts";
import { temporaryFolder } from "../support/temporary.ts";

const record = (number: number): string => `2026-01-01T00:00:00.000000000+00:00 stdout F line ${number}\n`;

test("what is trimmed takes no space, and nothing of the rest changes its place", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  const lines = Array.from({ length: 60_000 }, (_, number) => record(number));
  const text = lines.join("");
  await writeFile(file, text);
  const offset = lines.slice(0, 50_000).join("").length;
  const trim = new LogTrim(file);
  const before = await stat(file);
  await trim.until(offset);
  const after = await stat(file);
  assert.equal(after.size, before.size);
  if (after.blocks === before.blocks) return t.skip("this file system has no holes");
  assert.ok((before.blocks - after.blocks) * 512 > offset - 1024 * 1024);
  assert.equal((await readFile(file)).subarray(offset).toString(), text.slice(offset));

  await appendFile(file, record(60_000)); // as conmon does, all the while
  const ended = AbortSignal.abort();
  let seen = 50_000;
  for await (const batch of followLog(file, offset, {
    clock: systemClock,
    ended,
    signal: new AbortController().signal,
  })) {
    for (const { data } of batch.lines) assert.equal(data.toString(), `line ${seen++}\n`);
  }
  assert.equal(seen, 60_001);
});

test("little is not trimmed, and a log that is gone is no fault", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  const trim = new LogTrim(file);
  await trim.until(1000);
  await trim.until(10_000_000);
  await trim.until(20_000_000);
});
