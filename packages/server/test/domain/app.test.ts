/** The states of an app: which moves are legal, and what each state means for calls and heartbeats. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type AppState, isAlive, livesByHeartbeat, mayMove } from "../../src/domain/app.ts";

const states: readonly AppState[] = [
  "initializing",
  "ephemeral",
  "detached",
  "disconnected",
  "deployed",
  "stopping",
  "stopped",
];

test("an app moves from its first state to its kind, and from there only towards its end", () => {
  const legal = states.flatMap((from) => states.filter((to) => mayMove(from, to)).map((to) => `${from} ${to}`));
  assert.deepEqual(legal, [
    "initializing ephemeral",
    "initializing detached",
    "initializing deployed",
    "initializing stopping",
    "ephemeral stopping",
    "detached disconnected",
    "detached stopping",
    "disconnected stopping",
    "deployed stopping",
    "stopping stopped",
  ]);
});

test("calls are accepted until the app stops", () => {
  assert.deepEqual(states.filter(isAlive), ["initializing", "ephemeral", "detached", "disconnected", "deployed"]);
});

test("only apps that a client holds by hand live by its heartbeat", () => {
  assert.deepEqual(states.filter(livesByHeartbeat), ["initializing", "ephemeral"]);
});
