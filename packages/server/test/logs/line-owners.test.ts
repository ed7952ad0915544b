/** Which call a line belongs to, by what its container held at the line's time. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { LineOwners } from "../../src/logs/line-owners.ts";

const held = (number: number, callId = `fc-${number}`) => ({ inputId: `in-${number}`, callId });
const owner = (number: number) => ({ inputId: `in-${number}`, callId: `fc-${number}` });

test("a line belongs to the input that its container held then", () => {
  const owners = new LineOwners();
  assert.equal(owners.knows("ta-1"), false);
  owners.began("ta-1", [held(1)], 10, true);
  owners.ended("ta-1", ["in-1"], 20);
  owners.began("ta-1", [held(2)], 30, true);
  assert.deepEqual(owners.ownerOf("ta-1", 9), {}); // while it was importing
  assert.deepEqual(owners.ownerOf("ta-1", 10), owner(1));
  assert.deepEqual(owners.ownerOf("ta-1", 20), owner(1));
  assert.deepEqual(owners.ownerOf("ta-1", 25), {});
  assert.deepEqual(owners.ownerOf("ta-1", 99), owner(2));
  assert.deepEqual(owners.ownerOf("ta-2", 15), {});
  owners.forget("ta-1");
  assert.equal(owners.knows("ta-1"), false);
});

test("who takes one input at a time is done with the one before, though its output comes later", () => {
  const owners = new LineOwners();
  owners.began("ta-1", [held(1)], 10, true);
  owners.began("ta-1", [held(2)], 20, true);
  owners.ended("ta-1", ["in-1"], 25);
  assert.deepEqual(owners.ownerOf("ta-1", 19), owner(1));
  assert.deepEqual(owners.ownerOf("ta-1", 20), owner(2));
  assert.deepEqual(owners.ownerOf("ta-1", 22), owner(2));
});

test("of several at once nothing is said, unless they are of one call", () => {
  const owners = new LineOwners();
  owners.began("ta-1", [held(1)], 10, false);
  owners.began("ta-1", [held(2)], 20, false);
  assert.deepEqual(owners.ownerOf("ta-1", 15), owner(1));
  assert.deepEqual(owners.ownerOf("ta-1", 25), {});
  owners.began("ta-2", [held(1, "fc-1"), held(2, "fc-1")], 10, false);
  assert.deepEqual(owners.ownerOf("ta-2", 15), { callId: "fc-1" });
});

test("of a container with many inputs the last ones are remembered, and those that it still has", () => {
  const owners = new LineOwners();
  owners.began("ta-1", [held(0)], 0, false);
  for (let at = 1; at <= 5000; at++) {
    owners.began("ta-1", [held(at)], at * 10, false);
    owners.ended("ta-1", [`in-${at}`], at * 10 + 5);
  }
  owners.ended("ta-1", ["in-0"], 1_000_000);
  assert.deepEqual(owners.ownerOf("ta-1", 50_007), owner(0));
  assert.deepEqual(owners.ownerOf("ta-1", 50_003), {});
  assert.deepEqual(owners.ownerOf("ta-1", 13), owner(0)); // that there was another one is forgotten
});

test("a line that names its input belongs to that, if its container has it or had it", () => {
  const owners = new LineOwners();
  owners.began("ta-1", [held(1, "fc"), held(2, "fc"), held(3, "other")], 10, false);
  owners.ended("ta-1", ["in-1"], 12);
  assert.deepEqual(owners.ownerOf("ta-1", 15, "in-3"), { inputId: "in-3", callId: "other" });
  assert.deepEqual(owners.ownerOf("ta-1", 15, "in-1"), { inputId: "in-1", callId: "fc" });
  assert.deepEqual(owners.ownerOf("ta-1", 15, "in-9"), {});
  assert.deepEqual(owners.ownerOf("ta-2", 15, "in-1"), {});
});
