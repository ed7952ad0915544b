/** kill -9 of a process that rotates the key: whatever it was at, each secret opens with the keys that are there. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

import { Bells } from "@lydian/kit";
import { seededRandom, temporaryFolder } from "@lydian/testkit";

import type { SecretFacts } from "../../src/domain/secret.ts";
import { ensureIdentity } from "../../src/identity/first-start.ts";
import { KeyRing } from "../../src/secrets/key-ring.ts";
import { Vault } from "../../src/secrets/vault.ts";
import { openStore } from "../../src/store/sqlite.ts";

const rounds = 6;
/** More than go into one unit of work. */
const secrets = 250;

const ids = Array.from({ length: secrets }, (_, n) => `st-${String(n).padStart(4, "0")}` as const);
const expected = Object.fromEntries(ids.map((_, n) => [`K${n}`, `value ${n}`]));

async function fill(vault: Vault, store: ReturnType<typeof openStore>): Promise<void> {
  await vault.prepare();
  await store.write(async (tx) => {
    const owner = { id: "ak-1", secretSha256: "" };
    await ensureIdentity(tx, { workspace: "home", ownerToken: owner }, { now: 1, newId: (prefix) => `${prefix}-1` });
    const rest = { appId: undefined, version: 1, createdAt: 1, createdBy: "me", lastUsedAt: undefined };
    for (const [n, id] of ids.entries()) {
      const facts: SecretFacts = { ...rest, id, environmentId: "en-1", state: "named", name: `s${n}` };
      await tx.secrets.put(vault.seal(facts, { [`K${n}`]: `value ${n}` }));
    }
  });
}

/** Kills the process when it has said this many steps. */
async function rotateUntilKilled(folder: string, steps: number): Promise<void> {
  const program = join(import.meta.dirname, "..", "support", "rotating-child.ts");
  const child = spawn(process.execPath, ["--conditions=lydian-source", program, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  let said = 0;
  for await (const _ of createInterface({ input: child.stdout })) if (++said === steps) child.kill("SIGKILL");
  assert.deepEqual(await ended, [null, "SIGKILL"]);
}

test("kill -9 in the middle of rotations leaves every secret readable", async () => {
  await using folder = await temporaryFolder();
  const open = async () => {
    const store = openStore(join(folder.path, "store.sqlite"), new Bells());
    return { store, vault: new Vault(await KeyRing.load(join(folder.path, "secrets-key"), undefined), store) };
  };
  const first = await open();
  await fill(first.vault, first.store);
  await first.store.close();
  const random = seededRandom(11);
  for (let round = 0; round < rounds; round++) {
    await rotateUntilKilled(folder.path, 1 + random.below(16));
    const { store, vault } = await open();
    assert.deepEqual(await store.read((tx) => vault.environmentOf(tx, ids)), expected);
    await store.close();
  }
});
