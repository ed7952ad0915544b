/** Kills of worker and server while one container commits and another one reloads: no commit is lost, none is torn. */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { modal, newestClient, type Platform, type Random } from "@lydian/testkit";

const script = join(import.meta.dirname, "volume_kills.py");

/** Commits from one kill to the next. */
const stretch = 4;

/** For one client: its own patience with a server that goes away is limited. */
const killsEach = 5;

export async function volumeRun(platform: Platform, kills: number, random: Random): Promise<void> {
  for (let done = 0; done < kills; done += killsEach) {
    await oneRun(platform, { kills: Math.min(killsEach, kills - done), volume: `killed-${done}` }, random);
  }
}

async function oneRun(
  platform: Platform,
  { kills, volume }: { kills: number; volume: string },
  random: Random,
): Promise<void> {
  const env = { VOLUME: volume, COMMITS: String((kills + 1) * stretch) };
  await using run = modal(platform, newestClient, ["run", script], { env });
  for (let round = 0; round < kills; round++) {
    await run.sees(`committed ${round * stretch + 2}\n`, 60_000);
    await pause(random.below(150)); // anywhere in the next commits
    const role = round % 2 === 0 ? "worker" : "server";
    await platform.replaced(role, await platform.kill(role));
  }
  await run.sees("all is there", 120_000);
  await run.finishWith(0);
}
