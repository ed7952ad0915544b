/** What goes of logs, and that what is left is read as before. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { silentLogger } from "@lydian/kit";
import { ManualClock, until } from "@lydian/testkit";

import { lastLines } from "../../src/logs/by-time.ts";
import { LogBook, type LogCursor, logStart } from "../../src/logs/log-book.ts";
import { LogRetention, whatGoes } from "../../src/logs/retention.ts";
import { testStore } from "../support/open-store.ts";

const file = (segment: number, bytes: number, writtenAt = 0) => ({ segment, bytes, writtenAt });
const all = { since: Number.NEGATIVE_INFINITY, oneBytes: 1_000, allBytes: 10_000 };

test("the oldest segments go: by age the whole log, by size all but the one that is written to", () => {
  const logs = new Map([
    ["a", [file(3, 400, 10), file(4, 400, 20), file(5, 400, 30)]],
    ["b", [file(0, 400, 5)]],
  ]);
  assert.deepEqual([...whatGoes(logs, all)], [["a", 3]]);
  assert.deepEqual([...whatGoes(logs, { ...all, oneBytes: 100 })], [["a", 4]]);
  assert.deepEqual([...whatGoes(logs, { ...all, oneBytes: 5_000 })], []);
  assert.deepEqual([...whatGoes(logs, { ...all, oneBytes: 5_000, allBytes: 1_300 })], [["a", 3]]);
  assert.deepEqual([...whatGoes(logs, { ...all, allBytes: 1 })], [["a", 4]]);
  assert.deepEqual([...whatGoes(logs, { ...all, oneBytes: 5_000, since: 25 })], [["a", 4], ["b", 0]]); // prettier-ignore
});

/** A log of four full segments and one line. */
async function longLog() {
  const it = await testStore();
  const folder = join(it.folder, "logs");
  const book = new LogBook({ ...it, folder });
  await book.start();
  const append = (time: number, text: string): Promise<number> => {
    const line = { time, containerId: "", functionId: "", stream: "stdout", text } as const;
    return book.append("ap-1", { containerId: "", fence: "", offset: 0, endOffset: 0, lines: [line], lineEnds: [0] });
  };
  const filler = "x".repeat(4 * 2 ** 20);
  for (let at = 0; at < 4; at++) await append(at * 100, `${at}${filler}`);
  await append(400, "last");
  const firstLetters = async (from: LogCursor): Promise<string> => {
    let texts = "";
    for (let cursor = from; await book.hasMore("ap-1", cursor);) {
      const { lines, next } = await book.read("ap-1", cursor, 2 ** 20);
      texts += lines.map(({ text }) => text[0]).join("");
      cursor = next;
    }
    return texts;
  };
  const span = { logId: "ap-1", from: logStart, since: 0, until: 1e9, isWanted: () => true };
  const last = async (change: object, limit = 1): Promise<string[]> =>
    (await lastLines(book, { ...span, ...change }, limit)).lines.map(({ text }) => text.slice(0, 4));
  return { it, folder, book, append, firstLetters, last, [Symbol.asyncDispose]: () => it[Symbol.asyncDispose]() };
}

test("what is left of a log is read on, sought and written to as before", async () => {
  await using log = await longLog();
  assert.deepEqual(await log.last({}), ["last"]);
  assert.deepEqual(await log.last({ until: 150 }), ["1xxx"]);
  await log.book.drop("ap-1", 1);
  assert.equal(await log.firstLetters(logStart), "23l");
  assert.deepEqual(await log.last({ until: 150 }), []);
  assert.deepEqual(await log.last({ until: 250 }), ["2xxx"]);
  await log.append(500, "more");
  assert.equal(await log.firstLetters({ segment: 3, bytes: 0 }), "3lm");
  await log.book.drop("ap-1", 99); // all of it
  assert.equal(await log.firstLetters(logStart), "");
  assert.deepEqual(await readdir(join(log.folder, "ap-1")), []);
  await log.append(600, "new");
  assert.equal(await log.firstLetters(logStart), "n");
  await log.book.start(); // as after a restart
  assert.deepEqual(await log.last({}), ["new"]);
});

test("a round removes what is too much or too old, but nothing while the data are copied", async () => {
  await using log = await longLog();
  const clock = new ManualClock(1_000);
  let isCopied = true;
  const retention = new LogRetention({
    ...{ clock, logBook: log.book, log: silentLogger },
    times: { logKept: 86_400_000 },
    limits: { appLogMib: 10, logsMib: 1_000 },
    lockRemovals: () => (isCopied ? undefined : { [Symbol.dispose]() {} }),
  });
  const becomes = async (letters: string): Promise<void> => {
    const isSo = async (): Promise<boolean> => (await log.firstLetters(logStart)) === letters;
    await until(10_000, isSo, () => `the log did not become ${letters}`);
  };
  retention.start();
  await clock.advance(2_000);
  await becomes("0123l");
  isCopied = false;
  await clock.advance(3_600_000);
  await becomes("23l");
  await log.append(500, `4${"x".repeat(4 * 2 ** 20)}`);
  await log.append(600, "5"); // a segment is full
  await clock.advance(2_000);
  await becomes("3l45");
  await clock.advance(2 * 86_400_000); // by their lines' times they are too old then
  await becomes("");
  await retention.close();
});
