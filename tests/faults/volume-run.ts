/**
 * Kills of worker, server and containers while one container commits and another one reloads: no commit that returned is
 * lost, none is torn.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { modal, newestClient, type Platform, type Random } from "@lydian/testkit";

const script = join(import.meta.dirname, "volume_kills.py");

/** Commits from one kill to the next. */
const stretch = 4;

/** For one client: its own patience with a server that goes away is limited. */
const killsEach = 5;

const aims = ["worker", "server", "container"] as const;

export async function volumeRun(platform: Platform, kills: number, random: Random): Promise<void> {
  for (let done = 0; done < kills; done += killsEach) {
    await oneRun(platform, { kills: Math.min(killsEach, kills - done), done }, random);
  }
}

async function oneRun(
  platform: Platform,
  { kills, done }: { kills: number; done: number },
  random: Random,
): Promise<void> {
  const env = { VOLUME: `killed-${done}`, COMMITS: String((kills + 1) * stretch) };
  await using run = modal(platform, newestClient, ["run", script], { env });
  let containers = 0;
  for (let round = 0; round < kills; round++) {
    await run.sees(new RegExp(`^(?:committed ${round * stretch + 2}|begins at ${round * stretch + 3})$`, "m"), 60_000);
    await pause(random.below(150)); // anywhere in the next commits
    const aim = aims[(done + round) % aims.length] ?? "worker";
    if (aim === "container") containers += killOne(platform, random);
    else await platform.replaced(aim, await platform.kill(aim));
  }
  await run.sees("all is there", 120_000);
  await run.finishWith(0);
  checkBegun(run.stdout);
  const parts = new Set(run.stdout.match(/^shows \d+ in part$/gm));
  assert.ok(parts.size <= containers, `torn, and no container was killed: ${[...parts].join(", ")}`);
}

/** Its input goes to another container. */
function killOne(platform: Platform, random: Random): number {
  const all = platform.functions();
  const one = all[random.below(all.length)];
  if (one === undefined) return 0;
  process.kill(one.pid, "SIGKILL");
  return 1;
}

/** A container that begins finds all commits that have returned before. */
function checkBegun(output: string): void {
  let last = -1;
  for (const [, begun, committed] of output.matchAll(/^(?:begins at (\d+)|committed (\d+))$/gm)) {
    if (committed !== undefined) last = Number(committed);
    else assert.ok(Number(begun) > last, `it begins at ${begun}, and ${last} was committed`);
  }
}
