import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

import { systemClock } from "@lydian/kit";

import { claimWithin, tryClaim } from "../../src/network/host-claim.ts";

it("gives a name to one at a time", async () => {
  const name = randomUUID();
  const claim = await tryClaim(name);
  assert.ok(claim);
  assert.equal(await tryClaim(name), undefined);
  await assert.rejects(claimWithin(systemClock, name, 30), /does not give back/);
  const next = claimWithin(systemClock, name, 5000);
  await claim[Symbol.asyncDispose]();
  await claim[Symbol.asyncDispose]();
  await (await next)[Symbol.asyncDispose]();
});

it("has the name back when its owner is killed", async () => {
  const name = randomUUID();
  const module = fileURLToPath(new URL("../../src/network/host-claim.ts", import.meta.url));
  const script = `const { tryClaim } = await import(${JSON.stringify(module)});
    globalThis.claim = await tryClaim(${JSON.stringify(name)});
    console.log("claimed");
    setInterval(() => {}, 60_000);`;
  const owner = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_OPTIONS: "--conditions=lydian-source" },
  });
  const closed = once(owner, "close");
  await once(owner.stdout, "data");
  assert.equal(await tryClaim(name), undefined);
  owner.kill("SIGKILL");
  await closed;
  await (await claimWithin(systemClock, name, 5000))[Symbol.asyncDispose]();
});
