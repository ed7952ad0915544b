/** A command's input, and what becomes of it when nobody is there. */
import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { it } from "node:test";

import { ManualClock } from "@lydian/testkit";

import { Command, type WriteFrom } from "../../src/exec/command.ts";

function command(changes: { hasTerminal?: boolean; stays?: boolean; timeoutMs?: number } = {}) {
  const end = Promise.withResolvers<number>();
  const signals: string[] = [];
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const process = {
    ...{ stdin, stdout, stderr: Readable.from([]), end: end.promise },
    signal: (name: string) => void signals.push(name),
  };
  const clock = new ManualClock();
  const discard = { stdout: false, stderr: false };
  const made = new Command({ process, clock, discard, hasTerminal: false, stays: false, ...changes });
  const write = async (from: WriteFrom, text: string, eof = false): Promise<void> =>
    await made.write(from, Readable.from([Buffer.from(text)]), () => eof);
  let taken = "";
  stdin.on("data", (data: Buffer) => (taken += data.toString()));
  const got = (): string => taken;
  return { made, clock, end, signals, stdin, stdout, write, got };
}

it("takes what is written once, by its offset or by its number", async () => {
  const it = command();
  await it.write({ offset: 0 }, "one ");
  await it.write({ offset: 0 }, "one two ");
  await assert.rejects(it.write({ offset: 99 }, "x"), /has been given 8 bytes, and these begin later/);
  await it.write({ index: 1 }, "three ");
  await it.write({ index: 1 }, "three ");
  await it.write({ offset: 14 }, "four", true);
  await it.write({ offset: 14 }, "four", true); // said again
  assert.equal(it.got(), "one two three four");
  assert.deepEqual(it.made.written, { bytes: 18, closed: true });
  await assert.rejects(it.write(undefined, "more"), /was closed/);
});

it("says how it ended, now or when it does", async () => {
  const it = command();
  const { signal } = new AbortController();
  assert.equal(await it.made.wait(0, signal), undefined);
  const waiting = it.made.wait(1_000, signal);
  await it.clock.advance(1_000);
  assert.equal(await waiting, undefined);
  const longer = it.made.wait(1_000, signal);
  it.end.resolve(3);
  assert.equal(await longer, 3);
  assert.equal(await it.made.wait(0, signal), 3);
});

it("is killed when its time is up", async () => {
  const it = command({ timeoutMs: 5_000 });
  await it.clock.advance(4_999);
  assert.deepEqual(it.signals, []);
  await it.clock.advance(1);
  assert.deepEqual(it.signals, ["SIGKILL"]);
});

it("with a terminal it ends when nobody is there for a minute, unless it is to stay", async () => {
  const it = command({ hasTerminal: true });
  await it.clock.advance(50_000);
  await it.write({ index: 1 }, ""); // what a client says every 5 s
  await it.clock.advance(50_000);
  const gone = new AbortController();
  const reading = it.made.read("stdout", 0, gone.signal);
  const first = reading.next();
  await it.clock.advance(3_600_000);
  assert.deepEqual(it.signals, []);
  gone.abort(new Error("gone"));
  await assert.rejects(first, /gone/);
  await it.clock.advance(60_000);
  assert.deepEqual(it.signals, ["SIGHUP"]);
  await it.clock.advance(2_000);
  assert.deepEqual(it.signals, ["SIGHUP", "SIGKILL"]);
  it.end.resolve(137);
  for (const other of [command({ hasTerminal: true, stays: true }), command()]) {
    await other.clock.advance(3_600_000);
    assert.deepEqual(other.signals, []);
  }
});
