/** The states of a container, and what its end says about the function. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  type Container,
  type ContainerState,
  type Exit,
  describeExit,
  isCrash,
  mayMove,
  takesInputs,
} from "../../src/domain/container.ts";
import { container } from "../support/rows.ts";

const states: readonly ContainerState[] = ["assigned", "starting", "ready", "draining", "gone"];

test("a container only moves forward, and may skip what it was not seen in", () => {
  const legal = states.flatMap((from) => states.filter((to) => mayMove(from, to)).map((to) => `${from} ${to}`));
  assert.deepEqual(legal, [
    "assigned starting",
    "assigned ready",
    "assigned draining",
    "assigned gone",
    "starting ready",
    "starting draining",
    "starting gone",
    "ready draining",
    "ready gone",
    "draining gone",
  ]);
});

test("inputs go to containers that are ready or on their way", () => {
  assert.deepEqual(states.filter(takesInputs), ["assigned", "starting", "ready"]);
});

test("what the platform stopped or lost is no crash; what ended by itself is", () => {
  const table: [Exit, ContainerState, boolean, Partial<Container>?][] = [
    [{ reason: "stopped" }, "ready", false],
    [{ reason: "lost" }, "ready", false],
    [{ reason: "exited", code: 0 }, "draining", false],
    [{ reason: "exited", code: 0 }, "draining", false, { held: 1, killAt: 5 }],
    [{ reason: "exited", code: 0 }, "draining", true, { held: 1, killAt: undefined }],
    [{ reason: "exited", code: 0 }, "draining", false, { held: 0, killAt: undefined }],
    [{ reason: "exited", code: 0 }, "ready", true],
    [{ reason: "exited", code: 1 }, "draining", true],
    [{ reason: "exited", code: 1 }, "starting", true],
    [{ reason: "signaled", signal: "SIGSEGV" }, "draining", true],
    [{ reason: "outOfMemory" }, "ready", true],
    [{ reason: "outOfDisk" }, "ready", true],
    [{ reason: "failedToStart" }, "assigned", true],
  ];
  for (const [exit, state, expected, changes = {}] of table) {
    const during = `${exit.reason} ${exit.code ?? ""} while ${state} ${JSON.stringify(changes)}`;
    assert.equal(isCrash(container({ state, killAt: 5, ...changes }), exit), expected, during);
  }
});

test("every end completes the sentence “the container …”", () => {
  const table: [Exit, string][] = [
    [{ reason: "exited", code: 3 }, "exited with code 3"],
    [{ reason: "exited" }, "exited with code 0"],
    [{ reason: "signaled", signal: "SIGSEGV" }, "was killed by SIGSEGV"],
    [{ reason: "signaled" }, "was killed by a signal"],
    [{ reason: "outOfMemory" }, "ran out of memory"],
    [{ reason: "outOfMemory", message: "limit 128 MiB" }, "ran out of memory (limit 128 MiB)"],
    [{ reason: "stopped" }, "was stopped"],
    [{ reason: "outOfDisk", message: "limit 512 MiB" }, "ran out of disk (limit 512 MiB)"],
    [{ reason: "failedToStart", message: "no image" }, "could not be started: no image"],
    [{ reason: "lost" }, "was lost"],
    [{ reason: "lost", message: "its host is gone" }, "was lost: its host is gone"],
  ];
  for (const [exit, expected] of table) assert.equal(describeExit(exit), expected);
});
