import assert from "node:assert/strict";
import test from "node:test";

import type { ProcessEnd } from "../../../src/container/exit.ts";
import { type EndFacts, endOf } from "../../../src/runtime/runc/container-end.ts";

const table: { what: string; facts: Partial<EndFacts>; end: ProcessEnd["reason"]; more?: object }[] = [
  { what: "a normal end", facts: { exitCode: 0 }, end: "exited", more: { code: 0 } },
  { what: "a failure", facts: { exitCode: 3 }, end: "exited", more: { code: 3 } },
  { what: "SIGKILL", facts: { exitCode: 137 }, end: "signaled", more: { signal: "SIGKILL" } },
  { what: "a fault", facts: { exitCode: 139 }, end: "signaled", more: { signal: "SIGSEGV" } },
  { what: "SIGTERM", facts: { exitCode: 143 }, end: "signaled", more: { signal: "SIGTERM" } },
  { what: "abort()", facts: { exitCode: 134 }, end: "signaled", more: { signal: "SIGABRT" } },
  { what: "a code that is no signal's", facts: { exitCode: 255 }, end: "exited", more: { code: 255 } },
  { what: "a code of a signal that ends nobody", facts: { exitCode: 150 }, end: "exited", more: { code: 150 } },
  {
    what: "no memory",
    facts: { exitCode: 137, oomKills: 1, memoryMib: 64 },
    end: "outOfMemory",
    more: { limitMib: 64 },
  },
  { what: "no memory on the host", facts: { exitCode: 137, oomKills: 1 }, end: "outOfMemory" },
  { what: "a child without memory", facts: { exitCode: 1, oomKills: 1, memoryMib: 64 }, end: "exited" },
  { what: "a killed conmon", facts: { exitCode: undefined, oomKills: 1 }, end: "lost" },
];

for (const { what, facts, end, more = {} } of table) {
  test(`${what} is told as ${end}`, () => {
    const told = endOf({ exitCode: 0, oomKills: 0, memoryMib: undefined, ...facts });
    assert.equal(told.reason, end);
    for (const [key, value] of Object.entries(more))
      assert.equal((told as unknown as Record<string, unknown>)[key], value);
  });
}
