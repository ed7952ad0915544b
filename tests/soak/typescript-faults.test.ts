/** Server and worker are killed while TypeScript calls TypeScript: no call is lost, and none has another's result. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Platform, repositoryRoot, runLydian, usualRuntime } from "@lydian/testkit";

import { soak } from "../faults/soak.ts";

const skip = usualRuntime === "runc" ? false : "containers cannot run here";
const seconds = 40;

test("calls and spawns over kills", { skip }, async (t) => {
  await using platform = await Platform.start({ starters: soak.starters, args: ["--log-level", "warn"] });
  const file = `${repositoryRoot}/tests/soak/apps/faulty.ts`;
  await using run = runLydian(["run", "-q", file, "--seconds", String(seconds)], platform.env);
  let kills = 0;
  for (const until = Date.now() + seconds * 1000; run.end === undefined && Date.now() < until; kills++) {
    const victim = kills % 3 === 2 ? "worker" : "server";
    await platform.replaced(victim, await platform.kill(victim));
    await Promise.race([run.ended, new Promise((resolve) => setTimeout(resolve, 3000))]); // calls go on for a while
  }
  const done = JSON.parse(/\{.*\}/.exec(await run.finishWith(0))?.[0] ?? "{}") as Record<string, number>;
  t.diagnostic(`${kills} kills: ${JSON.stringify(done)}`);
  for (const name of ["shared", "alone", "spawned", "mapped"]) assert.ok((done[name] ?? 0) > 0, `none of ${name}`);
});
