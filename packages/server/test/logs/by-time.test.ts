/** A log by time: the last lines of a span, and how many there are when. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { countLines, lastLines, type Span } from "../../src/logs/by-time.ts";
import { LogBook, logStart, type LogStream } from "../../src/logs/log-book.ts";
import { testStore } from "../support/open-store.ts";

/** A log with one line at each of these times, whose texts are their numbers. */
async function logOf(times: readonly number[], streams: readonly LogStream[] = []) {
  const it = await testStore();
  const book = new LogBook({ ...it, folder: join(it.folder, "logs") });
  await book.start();
  const lines = times.map((time, at) => {
    return { time, containerId: "", functionId: "", stream: streams[at] ?? "stdout", text: `${at}` };
  });
  const piece = { containerId: "", fence: "", offset: 0, endOffset: 0, lines, lineEnds: lines.map(() => 0) };
  await book.append("im-1", piece);
  const span: Span = { logId: "im-1", from: logStart, since: 0, until: Number.POSITIVE_INFINITY, isWanted: () => true };
  return { book, span, [Symbol.asyncDispose]: () => it[Symbol.asyncDispose]() };
}

test("the last lines of a span are those from its beginning to before its end, no more than asked for", async () => {
  await using log = await logOf([10, 20, 30, 40, 50]);
  const texts = async (change: Partial<Span>, limit = 10): Promise<string> =>
    (await lastLines(log.book, { ...log.span, ...change }, limit)).lines.map(({ text }) => text).join("");
  assert.equal(await texts({}), "01234");
  assert.equal(await texts({ since: 20, until: 40 }), "12");
  assert.equal(await texts({}, 2), "34");
  assert.equal(await texts({ isWanted: ({ text }) => text !== "4" }, 2), "23");
  assert.equal(await texts({ logId: "im-2" }), "");
});

test("of many lines no more than about the last are held meanwhile", async () => {
  await using log = await logOf(Array.from({ length: 1_000 }, (_, at) => at));
  const { lines } = await lastLines(log.book, log.span, 3);
  assert.deepEqual(
    lines.map(({ text }) => text),
    ["997", "998", "999"],
  );
});

test("lines are counted by stream and by multiples of a length of time", async () => {
  await using log = await logOf([1_000, 1_999, 4_000, 4_500], ["stdout", "stderr", "system", "stdout"]);
  const none = { stdout: 0, stderr: 0, system: 0 };
  assert.deepEqual(await countLines(log.book, log.span, 2_000), [
    { ...none, start: 0, stdout: 1, stderr: 1 },
    { ...none, start: 4_000, stdout: 1, system: 1 },
  ]);
});

test("what comes after the last lines begins at the place that they end at, also where none of them was wanted", async () => {
  await using log = await logOf([10, 20, 30]);
  const { next } = await lastLines(log.book, log.span, 1);
  const none = await lastLines(log.book, { ...log.span, isWanted: () => false }, 1);
  assert.deepEqual(none, { lines: [], next });
  assert.equal(await log.book.hasMore("im-1", next), false);
  const line = { time: 40, containerId: "", functionId: "", stream: "stdout", text: "new" } as const;
  await log.book.append("im-1", { containerId: "", fence: "", offset: 0, endOffset: 0, lines: [line], lineEnds: [0] });
  const page = await log.book.read("im-1", next, 1_000);
  assert.deepEqual(
    page.lines.map(({ text }) => text),
    ["new"],
  );
});
