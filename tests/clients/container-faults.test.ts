/** kill -9 of all that has to do with a container, at every moment of its life: nothing is lost, and nothing is left. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { missingClient, modal, newestClient, Platform, seededRandom, usualRuntime } from "@lydian/testkit";

import type { Aim } from "../faults/aims.ts";
import { faultRun } from "../faults/fault-run.ts";
import { stopRound } from "../faults/stop-round.ts";
import { app } from "./stories.ts";

const skip = usualRuntime === "runc" ? missingClient(newestClient) : "containers cannot run here";
const runtime = "runc";

/** tests/soak has the same with hundreds of kills by chance, power cuts, and stops at other moments. */
const rounds: readonly (readonly Aim[])[] = [
  [
    { victims: ["runc"], moments: ["create"] },
    { victims: ["init"], moments: ["create"] },
  ],
  [{ victims: ["worker", "conmon"], moments: ["create", "import"] }],
  [{ victims: ["server", "init"], moments: ["run"] }],
  [{ victims: ["conmon"], moments: ["run"] }],
  [{ victims: ["worker"], moments: ["stop"] }],
];

test("kills at start, run and stop lose no call, and leave nothing", { skip, timeout: 300_000 }, async (t) => {
  await faultRun({ clients: 1, rounds, random: seededRandom(5), say: (line) => t.diagnostic(line) });
});

test("a function goes on in its container while worker and server are killed, with every line", { skip }, async () => {
  await using platform = await Platform.start({ runtime });
  await using run = modal(platform, newestClient, ["run", app("steady.py")]);
  await run.sees("tick 5 ");
  const before = await Promise.all([platform.kill("worker"), platform.kill("server")]);
  await platform.replaced("worker", before[0]);
  await platform.replaced("server", before[1]);
  await run.sees("tick 60 ");
  await platform.kill("server");
  await platform.kill("worker");
  const output = await run.finishWith(0);
  const [, container] = /^answer from (ta-\w+)$/m.exec(output) ?? [];
  assert.deepEqual(
    output.match(/^tick .*$/gm),
    Array.from({ length: 120 }, (_, number) => `tick ${number} ${container}`),
  );
});

test("after a stop of the platform, 100 ms after a kill of the worker, nothing is left", { skip }, async () => {
  await stopRound({ moments: ["run"], victims: ["worker"], stopAfterMs: -100 });
});
