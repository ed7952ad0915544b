/** Bytes of log lines become text, whole characters only. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";
import { lineMark, worker as wire } from "@lydian/contract";

import { LogDecoders } from "../../src/logs/decode.ts";

const { STDOUT, STDERR, SYSTEM, STREAM_UNSPECIFIED } = wire.Logs_Stream;
const from = { id: "ta-1", functionId: "fu-1" };
const part = (data: Uint8Array, stream: wire.Logs_Stream = STDOUT): wire.Logs_Line =>
  create(wire.Logs_LineSchema, { stream, timeMs: 12n, data });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("a line keeps its time, its stream and whose it is", () => {
  const decoders = new LogDecoders();
  const lines = [STDOUT, STDERR, SYSTEM, STREAM_UNSPECIFIED].map((stream) => part(bytes("x\n"), stream));
  assert.deepEqual(
    decoders.decode(from, lines),
    ["stdout", "stderr", "system", "system"].map((stream) => ({
      time: 12,
      containerId: "ta-1",
      functionId: "fu-1",
      stream,
      text: "x\n",
    })),
  );
});

test("a character that was cut between parts comes out whole, wherever the cut was", () => {
  const text = "a é 日本 🎈\n";
  const data = bytes(text);
  for (let cut = 0; cut <= data.length; cut++) {
    const decoders = new LogDecoders();
    const texts = [data.subarray(0, cut), data.subarray(cut)].map(
      (half) => decoders.decode(from, [part(half)])[0]?.text,
    );
    assert.equal(texts.join(""), text);
  }
});

test("streams and containers do not mix", () => {
  const decoders = new LogDecoders();
  const [first, second] = [bytes("é").subarray(0, 1), bytes("é").subarray(1)];
  const decode = (id: string, data: Uint8Array, stream: wire.Logs_Stream): string | undefined =>
    decoders.decode({ ...from, id }, [part(data, stream)])[0]?.text;
  decode("ta-1", first, STDOUT);
  decode("ta-1", first, STDERR);
  decode("ta-2", first, STDOUT);
  assert.deepEqual(
    [decode("ta-1", second, STDERR), decode("ta-2", second, STDOUT), decode("ta-1", second, STDOUT)],
    ["é", "é", "é"],
  );
});

test("what is no text at all is shown as such, and a container that is gone is forgotten", () => {
  const decoders = new LogDecoders();
  assert.equal(decoders.decode(from, [part(new Uint8Array([0xff, 0x41]))])[0]?.text, "\ufffdA");
  decoders.decode(from, [part(bytes("é").subarray(0, 1))]);
  decoders.forget("ta-1");
  assert.equal(decoders.decode(from, [part(bytes("b"))])[0]?.text, "b");
});

test("what a line says of its input is taken out of it, wherever it is cut, and holds to the line's end", () => {
  const mark = lineMark("in-7");
  const data = bytes(`${mark}one, ${mark}two\n\u001b[1mthree\u001b[0m\n`);
  for (let cut = 0; cut <= data.length; cut++) {
    const decoders = new LogDecoders();
    const named: (string | undefined)[] = [];
    const halves = [data.subarray(0, cut), data.subarray(cut)].filter(({ length }) => length > 0);
    const lines = halves
      .flatMap((half) =>
        Buffer.from(half)
          .toString()
          .split(/(?<=\n)/),
      )
      .map((text) => part(bytes(text)));
    const text = decoders
      .decode(from, lines, (_, inputId) => ({ inputId: named[named.push(inputId) - 1] ?? "none" }))
      .map((line) => `${line.text === "" ? "" : line.inputId}:${line.text}`);
    assert.equal(
      text.map((each) => each.replace(/^[^:]*:/, "")).join(""),
      "one, two\n\u001b[1mthree\u001b[0m\n",
      `${cut}`,
    );
    for (const each of text.filter((line) => line.includes("two"))) assert.match(each, /^in-7:/);
    for (const each of text.filter((line) => line.includes("three"))) assert.match(each, /^none:/);
  }
});
