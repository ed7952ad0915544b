/** A platform is called all the time and its parts are killed: what must hold through it and after it. */
import assert from "node:assert/strict";
import { join } from "node:path";

import { Platform, type Random } from "@lydian/testkit";

import type { Aim } from "./aims.ts";
import { Caller } from "./caller.ts";
import { Killer } from "./killer.ts";
import { idleTraces, keptIn } from "./idle.ts";
import { Runs } from "./runs.ts";

/** What its client calls, on demand (caller.ts). */
export const numbered = `${join(import.meta.dirname, "numbered.py")}::main`;

/** More than one client calls. */
const numbersEach = 1_000_000;

/** Between two looks at what the platform has on the host when it is idle. */
const roundsPerSpell = 5;

export interface FaultRun {
  /** How many clients call at once, each of an app of its own. */
  readonly clients: number;
  /** What each calls (`main` of numbered.py). */
  readonly args?: readonly string[];
  /** Warm starters that wait; with any, it is only looked at after its stop what the platform has on the host. */
  readonly starters?: number;
  /** Each is a stretch of calls, and who is killed during it, one after the other. */
  readonly rounds: Iterable<readonly Aim[]>;
  /** For the moments. */
  readonly random: Random;
  readonly say: (line: string) => void;
}

export async function faultRun({ clients, args = [], starters = 0, rounds, random, say }: FaultRun): Promise<void> {
  await using platform = await Platform.start({ runtime: "runc", starters, args: ["--log-level", "warn"] });
  const killer = await Killer.of(platform, random);
  const runs = new Runs();
  let spells = 0;
  const spell = async (rounds: readonly (readonly Aim[])[]): Promise<void> => {
    await using held = new AsyncDisposableStack();
    const first = clients * spells++;
    const callers = Array.from({ length: clients }, (_, at) =>
      held.use(new Caller(platform, numbered, "--first", String((first + at) * numbersEach), ...args)),
    );
    for (const aims of rounds) {
      await Promise.all(callers.map((caller) => caller.ask("go", "calling")));
      for (const aim of aims) await killer.strike(aim);
      await Promise.all(callers.map((caller) => caller.ask("halt", "answered")));
    }
    await Promise.all(callers.map((caller) => caller.ask(undefined, "stopped after")));
    for (const caller of callers) {
      await caller.end();
      runs.add(caller);
    }
  };

  await spell([[]]);
  const idle = starters === 0 ? await idleTraces(platform) : undefined;
  for (const part of parts(rounds, roundsPerSpell)) {
    await spell(part);
    if (idle !== undefined) await idleTraces(platform, idle);
  }
  await platform.stop();
  for (const line of [runs.describe(), ...killer.describe()]) say(line);
  assert.deepEqual(keptIn(platform), []);
  assert.deepEqual(runs.flaws(killer), []);
}

function* parts<T>(all: Iterable<T>, length: number): Generator<readonly T[]> {
  let part: T[] = [];
  for (const each of all) {
    part.push(each);
    if (part.length < length) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}
