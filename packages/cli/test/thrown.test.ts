/** What a program threw is shown with its author's lines, and with what it was thrown for. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { InvalidError, RemoteError } from "lydian";

import { describeOwn, describeRefusal, describeRemote } from "../src/thrown.ts";

const commands = "/opt/lydian/packages/cli";
const frames = ["    at work (file:///home/ada/app.ts:3:7)", `    at async run (file://${commands}/src/run.ts:1:1)`];

function thrown<E extends Error>(error: E, head = `${error.name}: ${error.message}`): E {
  error.stack = [head, ...frames, "    at async node:internal/main:2:3"].join("\n");
  return error;
}

it("an error of its own as Node shows it, without the command's frames", () => {
  const error = thrown(Object.assign(new RangeError("too far", { cause: thrown(new TypeError("deep")) }), { far: 3 }));
  const { text, below } = describeOwn(error, commands);
  assert.equal(text, "RangeError: too far");
  assert.match(below, /^ {4}at work .*app\.ts:3:7\) \{\n {2}far: 3,\n {2}\[cause\]: TypeError: deep\n {6}at work /);
  assert.doesNotMatch(below, /cli|node:/);
  assert.deepEqual(describeOwn("a text", commands), { text: "'a text'", below: "", hint: undefined });
});

it("a refusal with the line that asked", () => {
  const error = thrown(new InvalidError("no such thing", { hint: "make it" }));
  assert.deepEqual(describeRefusal(error, commands), { text: "no such thing", below: frames[0], hint: "make it" });
});

it("an error of a container with its own frames, its cause, and the call", () => {
  const remoteStack = "RangeError: boom\n    at handler (/root/app.ts:9:1)";
  const error = new RemoteError("RangeError: boom", {
    name: "RangeError",
    stack: remoteStack,
    cause: thrown(new TypeError("deep")),
  });
  error.stack = ["RemoteError: RangeError: boom", ...frames, "", "Thrown remotely:", remoteStack].join("\n");
  const { text, below } = describeRemote(error, commands);
  assert.equal(text, "RangeError: boom");
  assert.match(
    below,
    /^ {4}at handler \(\/root\/app\.ts:9:1\)\n {2}\[cause\]: TypeError: deep\n[^]*\n {2}called\n {4}at work .*:3:7\)$/,
  );
});

it("does not say twice that an error is one", () => {
  assert.equal(
    describeRemote(new RemoteError("Error: outer failed", { name: "Error" }), commands).text,
    "outer failed",
  );
});
