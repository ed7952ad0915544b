import assert from "node:assert/strict";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";

import { formatRecords } from "../../src/container/log-format.ts";
import { followLog, type LogBatch } from "../../src/container/log-tail.ts";
import { temporaryFolder } from "../support/temporary.ts";

const record = (text: string): string => formatRecords("stdout", 0, text);
const textOf = (batch: LogBatch): string => Buffer.concat(batch.lines.map((line) => line.data)).toString();

it("yields what is there, then what comes, and ends when the container has and all is read", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  await writeFile(file, record("one"));
  const ended = new AbortController();
  const log = followLog(file, 0, { ended: ended.signal, signal: new AbortController().signal });
  const first = (await log.next()).value as LogBatch;
  assert.equal(textOf(first), "one\n");
  const second = log.next();
  await appendFile(file, record("two"));
  assert.equal(textOf((await second).value as LogBatch), "two\n");
  const third = log.next();
  // Half a record is no record yet.
  await appendFile(file, record("three").slice(0, 20));
  await appendFile(file, record("three").slice(20));
  assert.equal(textOf((await third).value as LogBatch), "three\n");
  await appendFile(file, record("last"));
  ended.abort();
  assert.equal(textOf((await log.next()).value as LogBatch), "last\n");
  assert.equal((await log.next()).done, true);
});

it("goes on from an offset, in batches without a gap", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  const lines = Array.from({ length: 5000 }, (_, i) => `line ${i}`);
  await writeFile(file, record(lines.join("\n")));
  const signals = { ended: AbortSignal.abort(), signal: new AbortController().signal };
  const batches: LogBatch[] = [];
  for await (const batch of followLog(file, 0, signals)) batches.push(batch);
  assert.ok(batches.length > 2);
  assert.equal(batches.map(textOf).join(""), `${lines.join("\n")}\n`);
  for (const [i, batch] of batches.entries()) assert.equal(batch.offset, batches[i - 1]?.endOffset ?? 0);

  const resumed: LogBatch[] = [];
  for await (const batch of followLog(file, batches[1]!.endOffset, signals)) resumed.push(batch);
  assert.equal(resumed.map(textOf).join(""), batches.slice(2).map(textOf).join(""));
});

it("passes over what cannot be a record, and stops when it is told to", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  await writeFile(file, `${"x".repeat(200_000)}\n${record("after")}`);
  const stop = new AbortController();
  const log = followLog(file, 0, { ended: new AbortController().signal, signal: stop.signal });
  assert.match(textOf((await log.next()).value as LogBatch), /x\nafter\n$/);
  const waiting = log.next();
  stop.abort();
  assert.equal((await waiting).done, true);
});
