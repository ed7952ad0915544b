/**
 * Random kills during a steady stream of calls by the stock client: each call is answered once, with the right value, and
 * nothing is left behind. `LYDIAN_ROUNDS` says how many kills, `LYDIAN_SEED` which.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "node:test";

import { Platform, missingClient, newestClient, seededRandom, temporaryFolder } from "@lydian/testkit";

import { Caller } from "../faults/caller.ts";
import { soak } from "../faults/soak.ts";

const { rounds, seed } = soak;
const callsPerRound = 20;
const victims = ["server", "worker", "function", "both"] as const;

const stream = join(import.meta.dirname, "stream.py");

test(
  `${rounds} kills (seed ${seed}) lose no call and repeat none`,
  { skip: missingClient(newestClient), timeout: 3_600_000 },
  async (t) => {
    const random = seededRandom(seed);
    await using platform = await Platform.start({ args: ["--log-level", "error"] });
    await using client = new Caller(platform, stream);
    assert.equal(await client.ask("1", "answered"), "answered 1"); // everything is there
    const counts = { server: 0, worker: 0, function: 0, both: 0 };
    for (let round = 0; round < rounds; round++) {
      const answered = client.ask(String(callsPerRound), "answered");
      await pause(random.below(400)); // anywhere in the stretch
      const victim = random.pick(victims) ?? "server";
      counts[victim]++;
      if (victim === "server" || victim === "both") await platform.kill("server");
      if (victim === "worker" || victim === "both") await platform.kill("worker");
      if (victim === "function") for (const { pid } of platform.functions()) process.kill(pid, "SIGKILL");
      assert.equal(await answered, `answered ${1 + (round + 1) * callsPerRound}`);
    }
    assert.equal(await client.ask(undefined, "stopped after"), `stopped after ${1 + rounds * callsPerRound}`);
    await client.end();
    t.diagnostic(`killed: ${JSON.stringify(counts)}`);
    assert.match(await readFile(join(platform.data, "profile.toml"), "utf8"), /token_secret/);
  },
);

test(
  `the supervisor is killed ${Math.ceil(rounds / 10)} times: the next one on the same folder serves, and leaves nothing`,
  { skip: missingClient(newestClient), timeout: 3_600_000 },
  async () => {
    const random = seededRandom(seed);
    await using folder = await temporaryFolder();
    for (let round = 0; round < Math.ceil(rounds / 10); round++) {
      await using platform = await Platform.start({ data: folder.path, args: ["--log-level", "error"] });
      await using client = new Caller(platform, stream);
      assert.equal(await client.ask("1", "answered"), "answered 1");
      const cut = client.ask(String(callsPerRound), "answered").catch(() => {}); // its platform goes, and with it the port
      await pause(random.below(400));
      await platform.kill("supervisor");
      await platform.ended();
      await using next = await Platform.start({ data: folder.path, args: ["--log-level", "error"] });
      await using second = new Caller(next, stream);
      assert.equal(await second.ask("5", "answered"), "answered 5");
      await second.ask(undefined, "stopped after");
      await second.end();
      await client[Symbol.asyncDispose]();
      await cut;
      await next.stop(); // fails if a process of either is left
    }
  },
);
