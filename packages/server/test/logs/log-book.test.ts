/** The logs of apps on real files: appended once and in order, read on across segments, cut to what was committed. */
import assert from "node:assert/strict";
import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";

import { logsBell } from "../../src/domain/bells.ts";
import type { Store } from "../../src/domain/store.ts";
import { LogBook, type LogCursor, type LogLine, type LogPiece, logStart } from "../../src/logs/log-book.ts";
import { countRings, testStore } from "../support/open-store.ts";
import { container } from "../support/rows.ts";

const line = (text: string, changes: Partial<LogLine> = {}): LogLine => ({
  time: 5,
  containerId: "ta-1",
  functionId: "fu-1",
  stream: "stdout",
  text,
  ...changes,
});

/** A container's whole log of one line. */
const whole = (containerId: string, endOffset: number, only: LogLine): LogPiece => ({
  containerId,
  fence: "fence",
  offset: 0,
  endOffset,
  lines: [only],
  lineEnds: [endOffset],
});

/** A log book with two containers of one app. */
async function scene(wrap: (store: Store) => Store = (store) => store) {
  const test = await testStore();
  const folder = join(test.folder, "logs");
  const open = async (): Promise<LogBook> => {
    const opened = new LogBook({ folder, store: wrap(test.store), bells: test.bells });
    await opened.start();
    return opened;
  };
  for (const id of ["ta-1", "ta-2"] as const) await test.does((tx) => tx.containers.insert(container({ id })));
  const book = await open();
  /** Its lines share the way from one offset to the other evenly. */
  const append = (offset: number, endOffset: number, ...texts: string[]): Promise<number> =>
    book.append("ap-1", {
      containerId: "ta-1",
      fence: "fence",
      offset,
      endOffset,
      lines: texts.map((text) => line(text)),
      lineEnds: texts.map((_, at) => offset + ((endOffset - offset) * (at + 1)) / texts.length),
    });
  /** Everything from a place on. */
  const readAll = async (from: LogCursor = logStart, maxBytes = 1_000, of = book): Promise<string[]> => {
    const texts: string[] = [];
    let cursor = from;
    while (await of.hasMore("ap-1", cursor)) {
      const { lines, next } = await of.read("ap-1", cursor, maxBytes);
      texts.push(...lines.map(({ text }) => text));
      cursor = next;
    }
    return texts;
  };
  const file = (segment: number): string => join(folder, "ap-1", `${String(segment).padStart(8, "0")}.jsonl`);
  return {
    ...test,
    folder,
    book,
    open,
    append,
    readAll,
    file,
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  };
}

describe("appending", () => {
  it("keeps lines in order, says up to where, and wakes who follows", async () => {
    await using it = await scene();
    const followers = countRings(it.bells, logsBell("ap-1"));
    await it.clock.settle();
    assert.equal(await it.append(0, 10, "a\n", "b\n"), 10);
    assert.equal(await it.append(10, 15, "c\n"), 15);
    assert.deepEqual(await it.readAll(), ["a\n", "b\n", "c\n"]);
    assert.equal((await stat(it.file(0))).mode & 0o777, 0o600);
    assert.equal(followers.count, 2);
    await followers.stop();
    assert.equal((await it.store.read((tx) => tx.containers.get("ta-1")))?.logOffset, 15);
  });

  it("takes no piece twice and none after a gap, and says where to go on", async () => {
    await using it = await scene();
    await it.append(0, 10, "a\n");
    assert.equal(await it.append(0, 10, "a\n"), 10);
    assert.equal(await it.append(5, 10, "half\n"), 10);
    assert.equal(await it.append(20, 30, "c\n"), 10);
    assert.equal(await it.append(10, 20, "b\n"), 20);
    assert.deepEqual(await it.readAll(), ["a\n", "b\n"]);
  });

  it("writes what arrives meanwhile together, each container in its own order", async () => {
    await using it = await scene();
    const commits: unknown[] = [];
    const { write } = it.store;
    it.store.write = (unit) => (commits.push(unit), write(unit));
    const other = it.book.append("ap-1", whole("ta-2", 3, line("x\n", { containerId: "ta-2" })));
    const own = Array.from({ length: 20 }, (_, i) => it.append(i, i + 1, `${i}\n`));
    assert.deepEqual(await Promise.all(own), Array<number>(20).fill(20));
    assert.equal(await other, 3);
    it.store.write = write;
    assert.ok(commits.length <= 3, `${commits.length} commits`);
    assert.deepEqual(await it.readAll(), ["x\n", ...Array.from({ length: 20 }, (_, i) => `${i}\n`)]);
  });

  it("keeps the logs of apps apart", async () => {
    await using it = await scene();
    await it.append(0, 1, "mine\n");
    await it.book.append("ap-2", whole("ta-2", 1, line("other\n")));
    assert.deepEqual(await it.readAll(), ["mine\n"]);
  });

  it("knows nothing of a container that does not exist, or of an earlier assignment", async () => {
    await using it = await scene();
    assert.equal(await it.book.append("ap-1", whole("ta-9", 5, line("x\n"))), 0);
    assert.equal(await it.book.append("ap-1", { ...whole("ta-1", 5, line("x\n")), fence: "earlier" }), 0);
    assert.deepEqual(await it.readAll(), []);
  });

  it("that failed is told to its caller, and the next piece goes on from what is committed", async () => {
    let broken = false;
    const wrap = (store: Store): Store => ({
      ...store,
      write: (unit) => (broken ? Promise.reject(new Error("full")) : store.write(unit)),
    });
    await using it = await scene(wrap);
    await it.append(0, 1, "a\n");
    broken = true;
    await assert.rejects(it.append(1, 2, "never committed, and rather long\n"), /full/);
    broken = false;
    assert.equal(await it.append(1, 2, "b\n"), 2);
    assert.deepEqual(await it.readAll(), ["a\n", "b\n"]);
  });
});

describe("a piece that is there in part", () => {
  it("takes of a piece what is new, wherever the one before had ended", async () => {
    await using it = await scene();
    await it.append(0, 20, "a\n", "b\n");
    assert.equal(await it.append(10, 40, "b\n", "c\n", "d\n"), 40);
    assert.equal(await it.append(40, 50, "e\n"), 50);
    assert.deepEqual(await it.readAll(), ["a\n", "b\n", "c\n", "d\n", "e\n"]);
  });
});

describe("reading", () => {
  it("sees nothing in a full segment that was written there and never committed", async () => {
    let broken = false;
    const wrap = (store: Store): Store => ({
      ...store,
      write: (unit) => (broken ? Promise.reject(new Error("full")) : store.write(unit)),
    });
    await using it = await scene(wrap);
    await it.append(0, 1, "x".repeat(16 * 1024 * 1024 - 200));
    broken = true;
    await assert.rejects(it.append(1, 2, "y".repeat(10_000)));
    broken = false;
    await it.append(1, 2, "z".repeat(500));
    await it.append(2, 3, "next\n");
    assert.deepEqual(
      (await it.readAll(logStart, 32 * 1024 * 1024)).map((text) => text.slice(0, 4)),
      ["xxxx", "zzzz", "next"],
    );
  });

  it("goes on where it stopped, and never in the middle of a line", async () => {
    await using it = await scene();
    const texts = Array.from({ length: 30 }, (_, i) => `${"é".repeat(i)}${i}\n`);
    await it.append(0, 100, ...texts);
    for (const maxBytes of [1, 90, 200, 10_000]) assert.deepEqual(await it.readAll(logStart, maxBytes), texts);
  });

  it("of an app without a log gives nothing", async () => {
    await using it = await scene();
    assert.deepEqual(await it.book.read("ap-9", logStart, 100), { lines: [], after: [], next: logStart });
    assert.equal(await it.book.hasMore("ap-9", logStart), false);
  });

  it("gives back all that was known of a line", async () => {
    await using it = await scene();
    const lines = [line("\u2028 “quoted” \\n\n", { stream: "stderr", time: 1_234_567_890_123 }), line("no newline")];
    await it.book.append("ap-1", {
      containerId: "ta-1",
      fence: "fence",
      offset: 0,
      endOffset: 9,
      lines,
      lineEnds: [5, 9],
    });
    assert.deepEqual((await it.book.read("ap-1", logStart, 10_000)).lines, lines);
  });

  it("crosses segments, which begin when one is full", async () => {
    await using it = await scene();
    const large = `${"x".repeat(1.5 * 1024 * 1024)}\n`;
    for (let i = 0; i < 4; i++) await it.append(i, i + 1, `${i}${large}`);
    const names = await readdir(join(it.folder, "ap-1"));
    assert.deepEqual(
      names.filter((name) => name.endsWith(".jsonl")),
      ["00000000.jsonl", "00000001.jsonl"],
    );
    const read = await it.readAll(logStart, 1024 * 1024);
    assert.deepEqual(
      read.map((text) => [text[0], text.length]),
      [0, 1, 2, 3].map((i) => [`${i}`, large.length + 1]),
    );
  });
});

describe("a restart", () => {
  it("finds what was committed", async () => {
    await using it = await scene();
    await it.append(0, 1, "a\n");
    const again = await it.open();
    assert.deepEqual(await it.readAll(logStart, 1_000, again), ["a\n"]);
  });

  it("cuts off what was written and never committed, and what followed in a next segment", async () => {
    await using it = await scene();
    await it.append(0, 1, "a\n");
    const committed = await readFile(it.file(0), "utf8");
    await writeFile(it.file(0), `${committed}{"half`);
    await writeFile(it.file(1), "more\n");
    const again = await it.open();
    assert.equal(await readFile(it.file(0), "utf8"), committed);
    assert.deepEqual(await readdir(join(it.folder, "ap-1")), ["00000000.jsonl"]);
    await again.append("ap-1", {
      containerId: "ta-1",
      fence: "fence",
      offset: 1,
      endOffset: 2,
      lines: [line("b\n")],
      lineEnds: [2],
    });
    assert.deepEqual(await it.readAll(logStart, 1_000, again), ["a\n", "b\n"]);
  });

  it("overwrites the first piece of an app that was never committed", async () => {
    await using it = await scene();
    await mkdir(join(it.folder, "ap-1"));
    await writeFile(it.file(0), "a long piece that was never committed\n");
    const again = await it.open();
    await again.append("ap-1", {
      containerId: "ta-1",
      fence: "fence",
      offset: 0,
      endOffset: 1,
      lines: [line("a\n")],
      lineEnds: [1],
    });
    assert.deepEqual(await it.readAll(logStart, 1_000, again), ["a\n"]);
  });
});
