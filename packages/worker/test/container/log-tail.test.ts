import assert from "node:assert/strict";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";

import { systemClock } from "@lydian/kit";
import { ManualClock, until } from "@lydian/testkit";

import { formatRecords } from "../../src/container/log-format.ts";
import { followLog, type LogBatch } from "../../src/container/log-tail.ts";
import { temporaryFolder } from "../support/temporary.ts";

const record = (text: string): string => formatRecords("stdout", 0, text);
const part = (text: string): string => `2026-01-01T00:00:00Z stdout P ${text}\n`;
const textOf = (batch: LogBatch): string => Buffer.concat(batch.lines.map((line) => line.data)).toString();

it("yields what is there, then what comes, and ends when the container has and all is read", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  await writeFile(file, record("one"));
  const ended = new AbortController();
  const log = followLog(file, 0, { clock: systemClock, ended: ended.signal, signal: new AbortController().signal });
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
  const signals = { clock: systemClock, ended: AbortSignal.abort(), signal: new AbortController().signal };
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
  const log = followLog(file, 0, { clock: systemClock, ended: new AbortController().signal, signal: stop.signal });
  assert.match(textOf((await log.next()).value as LogBatch), /x\nafter\n$/);
  const waiting = log.next();
  stop.abort();
  assert.equal((await waiting).done, true);
});

it("ends batches with lines: what a program writes in parts stays together", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  await writeFile(file, record("whole") + part("begin ") + formatRecords("stderr", 0, "meanwhile"));
  const clock = new ManualClock(); // it does not move: nothing of this is for want of time
  const log = followLog(file, 0, { clock, ended: new AbortController().signal, signal: new AbortController().signal });
  assert.equal(textOf((await log.next()).value as LogBatch), "whole\n");
  const second = log.next();
  await until(
    5_000,
    () => clock.pending > 0,
    () => "it does not wait for the rest of a line",
  );
  await appendFile(file, part("1 "));
  await appendFile(file, record("end"));
  assert.equal(textOf((await second).value as LogBatch), "begin meanwhile\n1 end\n");
  await log.return();
});

it("does not wait long for the rest of a line, nor for one that is longer than what is read at once", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  await writeFile(file, part("Continue? "));
  const clock = new ManualClock();
  const ended = new AbortController();
  const log = followLog(file, 0, { clock, ended: ended.signal, signal: new AbortController().signal });
  const first = log.next();
  await until(
    5_000,
    () => clock.pending > 0,
    () => "it does not wait for the rest of a line",
  );
  await clock.advance(100);
  assert.equal(textOf((await first).value as LogBatch), "Continue? ");
  await appendFile(file, part("x".repeat(8_000)).repeat(10));
  const second = (await log.next()).value as LogBatch;
  assert.equal(textOf(second), "x".repeat(64_000));
  ended.abort();
  assert.equal(textOf((await log.next()).value as LogBatch), "x".repeat(16_000));
  assert.equal((await log.next()).done, true);
});

it("drops what a container prints without end, and says how much that was", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  const block = record(Array.from({ length: 10_000 }, (_, i) => `line ${i}`).join("\n"));
  const limits = { bytesPerSecond: 2 ** 20, burstBytes: 2 * 2 ** 20 };
  await writeFile(file, "");
  const signals = { ended: new AbortController().signal, signal: new AbortController().signal };
  const log = followLog(file, 0, { ...signals, clock: new ManualClock(), limits }); // its time stands still
  let [end, lines, written, notice] = [0, 0, 0, ""];
  while (notice === "") {
    await appendFile(file, block);
    written += block.length;
    while (end < written) {
      const batch = (await log.next()).value as LogBatch;
      assert.equal(batch.offset, end);
      end = batch.endOffset;
      if (batch.lines[0]?.stream === "system") notice = textOf(batch);
      else lines += batch.lines.length;
    }
  }
  assert.ok(lines * 42 > 1.9 * 2 ** 20, `${lines}`);
  assert.match(notice, /^\d+ lines \(\d\.\d MiB\) were dropped: a container may print 1 MiB in a second\n$/);
  assert.equal(lines + Number.parseInt(notice, 10), (written / block.length) * 10_000);
  await log.return();
});

it("drops what waits for a slow reader, beyond what may come at once", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  const limits = { bytesPerSecond: 2 ** 40, burstBytes: 2 ** 20 };
  await writeFile(file, "");
  const signals = { clock: systemClock, ended: new AbortController().signal, signal: new AbortController().signal };
  const log = followLog(file, 0, { ...signals, limits });
  const block = record(Array.from({ length: 10_000 }, (_, i) => `line ${i}`).join("\n"));
  for (let at = 0; at < 8; at++) await appendFile(file, block); // 3.5 MB, of which nobody has read anything yet
  const notice = (await log.next()).value as LogBatch;
  assert.match(textOf(notice), /^\d+ lines \(\d\.\d MiB\) were dropped/);
  const left = block.length * 8 - notice.endOffset;
  assert.ok(notice.offset === 0 && left <= 2 ** 18 + 2 ** 16, `${left}`);
  let lines = 0;
  for (let end = notice.endOffset; end < block.length * 8;) {
    const batch = (await log.next()).value as LogBatch;
    assert.equal(batch.offset, end);
    end = batch.endOffset;
    lines += batch.lines.length;
  }
  assert.equal(lines + Number.parseInt(textOf(notice), 10), 80_000);
  await log.return();
});
