/**
 * Random kills during a steady stream of calls by the stock client: each call is answered once, with the right value, and
 * nothing is left behind. `LYDIAN_ROUNDS` says how many kills, `LYDIAN_SEED` which.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "node:test";

import { Platform, clientProgram, missingClient, newestClient, seededRandom, temporaryFolder } from "@lydian/testkit";

const rounds = Number(process.env["LYDIAN_ROUNDS"] ?? 100);
const seed = Number(process.env["LYDIAN_SEED"] ?? 1);
const callsPerRound = 20;
const victims = ["server", "worker", "function", "both"] as const;

/** A client that makes calls on demand; a line on its stdin is a stretch of calls, a line of its stdout its end. */
async function* stretches(platform: Platform): AsyncGenerator<string, void, string> {
  const script = join(import.meta.dirname, "stream.py");
  const client = spawn(clientProgram(newestClient, "modal"), ["run", "-q", script], {
    stdio: ["pipe", "pipe", "pipe"],
    env: platform.env,
  });
  const exit = once(client, "exit") as Promise<[number | null]>;
  const errors: string[] = [];
  client.stderr.setEncoding("utf8").on("data", (text: string) => errors.push(text));
  const lines = createInterface({ input: client.stdout })[Symbol.asyncIterator]();
  try {
    for (let asked = yield ""; ;) {
      client.stdin.write(`${asked}\n`);
      const line = await lines.next();
      if (line.done === true) throw new Error(`the client ended with ${(await exit)[0]}:\n${errors.join("")}`);
      if (asked === "stop") return void (yield line.value);
      asked = yield line.value;
    }
  } finally {
    client.kill("SIGKILL");
    await exit;
  }
}

test(
  `${rounds} kills (seed ${seed}) lose no call and repeat none`,
  { skip: missingClient(newestClient), timeout: 3_600_000 },
  async (t) => {
    const random = seededRandom(seed);
    await using platform = await Platform.start({ args: ["--log-level", "error"] });
    const client = stretches(platform);
    await client.next();
    assert.equal((await client.next("1")).value, "answered 1"); // everything is there
    const counts = { server: 0, worker: 0, function: 0, both: 0 };
    for (let round = 0; round < rounds; round++) {
      const answered = client.next(String(callsPerRound));
      await pause(random.below(400)); // anywhere in the stretch
      const victim = random.pick(victims) ?? "server";
      counts[victim]++;
      if (victim === "server" || victim === "both") await platform.kill("server");
      if (victim === "worker" || victim === "both") await platform.kill("worker");
      if (victim === "function") for (const { pid } of platform.functions()) process.kill(pid, "SIGKILL");
      assert.equal((await answered).value, `answered ${1 + (round + 1) * callsPerRound}`);
    }
    assert.equal((await client.next("stop")).value, `stopped after ${1 + rounds * callsPerRound}`);
    await client.return();
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
      const client = stretches(platform);
      await client.next();
      assert.equal((await client.next("1")).value, "answered 1");
      const cut = client.next(String(callsPerRound)).catch(() => {}); // its platform goes, and with it the port
      await pause(random.below(400));
      await platform.kill("supervisor");
      await platform.ended();
      await using next = await Platform.start({ data: folder.path, args: ["--log-level", "error"] });
      const second = stretches(next);
      await second.next();
      assert.equal((await second.next("5")).value, "answered 5");
      await second.next("stop");
      await second.return();
      await client.return();
      await cut;
      await next.stop(); // fails if a process of either is left
    }
  },
);
