/** What a command has written, for readers that come, go and come again. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { it } from "node:test";

import { Output } from "../../src/exec/output.ts";

const never = new AbortController().signal;

async function read(output: Output, offset: number, bytes = Number.POSITIVE_INFINITY): Promise<string> {
  let text = "";
  for await (const chunk of output.read(offset, never)) {
    text += chunk.toString();
    if (text.length >= bytes) break;
  }
  return text;
}

it("gives what is there, then what comes, from any offset that is kept", async () => {
  const source = new PassThrough();
  const output = new Output(source);
  source.write("one ");
  const reading = read(output, 0);
  source.write("two ");
  source.end("three");
  assert.equal(await reading, "one two three");
  assert.equal(await read(output, 4), "two three");
  assert.equal(await read(output, 13), "");
  await assert.rejects(read(output, 14), /has written 13 bytes, not 14/);
});

it("reads no further ahead than it may, and forgets what was read long ago", async () => {
  const source = new PassThrough({ highWaterMark: 1 });
  const output = new Output(source, { ahead: 100, behind: 200 });
  for (let at = 0; at < 100; at++) source.write("0123456789");
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(source.readableLength + source.writableLength > 800, "the source waits");
  source.end();
  assert.equal((await read(output, 0)).length, 1000);
  assert.equal((await read(output, 800)).length, 200);
  await assert.rejects(read(output, 100), /is kept from byte \d+ on, and was asked for from 100 on/);
});

it("ends with a reader that is gone, and with a source that breaks", async () => {
  const source = new PassThrough();
  const output = new Output(source);
  const gone = new AbortController();
  const reading = (async () => {
    for await (const _ of output.read(0, gone.signal));
  })();
  gone.abort(new Error("gone"));
  await assert.rejects(reading, /gone/);
  source.destroy(new Error("EIO"));
  assert.equal(await read(output, 0), "");
  assert.equal(await read(new Output(undefined), 0), "");
});
