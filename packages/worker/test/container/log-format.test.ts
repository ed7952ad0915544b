import assert from "node:assert/strict";
import { it } from "node:test";

import { formatRecords, parseRecords, joinParts } from "../../src/container/log-format.ts";

const time = "2026-11-21T08:14:49.123456789Z";
const timeMs = Date.UTC(2026, 10, 21, 8, 14, 49, 123);

function parse(text: string | Buffer): { stream: string; timeMs: number; text: string }[] {
  return parseRecords(Buffer.from(text)).lines.map(({ data, size: _size, ...line }) => ({
    ...line,
    text: data.toString("latin1"),
  }));
}

it("reads whole and partial records, and times with an offset as conmon writes them", () => {
  assert.deepEqual(
    parse(`${time} stdout F hello\n${time} stderr P 10 %\n2026-11-21T09:14:49.123456789+01:00 stdout F \n`),
    [
      { stream: "stdout", timeMs, text: "hello\n" },
      { stream: "stderr", timeMs, text: "10 %" },
      { stream: "stdout", timeMs, text: "\n" },
    ],
  );
});

it("keeps bytes that are no UTF-8, carriage returns and spaces", () => {
  const text = Buffer.concat([Buffer.from(`${time} stdout P  a\r`), Buffer.from([0xff, 0xc3]), Buffer.from("\n")]);
  assert.deepEqual(parse(text), [{ stream: "stdout", timeMs, text: " a\r\xff\xc3" }]);
});

it("leaves a record that is not finished", () => {
  const whole = `${time} stdout F one\n`;
  const { lines, length } = parseRecords(Buffer.from(`${whole}${whole}${time} stdout F tw`));
  assert.equal(length, 2 * whole.length);
  assert.deepEqual(
    lines.map(({ size }) => size),
    [whole.length, whole.length],
  );
});

it("shows what is no record instead of losing it", () => {
  assert.deepEqual(parse("2026-11-21T08 garbage\n"), [
    { stream: "stderr", timeMs: 0, text: "2026-11-21T08 garbage\n" },
  ]);
});

it("writes what it reads", () => {
  assert.deepEqual(parse(formatRecords("system", timeMs, "one\ntwo")), [
    { stream: "system", timeMs, text: "one\n" },
    { stream: "system", timeMs, text: "two\n" },
  ]);
});

it("puts the parts of a line together that follow each other", () => {
  const part = (text: string, stream = "stdout"): string => `2026-01-01T00:00:00Z ${stream} P ${text}\n`;
  const end = (text: string): string => `2026-01-01T00:00:00Z stdout F ${text}\n`;
  const { lines, length } = parseRecords(
    Buffer.from(end("whole") + part("one ") + part("two ") + end("three") + part("a") + part("b", "stderr") + end("c")),
  );
  const joined = joinParts(lines);
  assert.deepEqual(
    joined.map(({ stream, data }) => `${stream} ${data.toString()}`),
    ["stdout whole\n", "stdout one two three\n", "stdout a", "stderr b", "stdout c\n"],
  );
  assert.equal(
    joined.reduce((sum, { size }) => sum + size, 0),
    length,
  );
});
