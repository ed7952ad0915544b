/** One round of the tests of crashes: a worker is killed at some moment of a container's life, and another one comes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { until, within } from "@lydian/testkit";

import { containerPlace } from "@lydian/worker/src/container/folder";
import { Containers, type Part } from "../../faults/containers.ts";
import { kill } from "../../faults/killer.ts";
import { remainsOf, Rig, type RigIdentity } from "./rig.ts";

const worker = fileURLToPath(new URL("half-worker.ts", import.meta.url));

interface HalfWorker {
  readonly process: ChildProcess;
  /** Resolves when it has said this step. */
  step(name: string): Promise<void>;
  kill(): Promise<void>;
}

export function startHalfWorker(identity: RigIdentity, id: string, script: string): HalfWorker {
  const args = ["--conditions=lydian-source", worker, JSON.stringify(identity), id, script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "exit");
  const said = new Map<string, PromiseWithResolvers<void>>();
  const of = (name: string): PromiseWithResolvers<void> => {
    const step = said.get(name) ?? Promise.withResolvers<void>();
    said.set(name, step);
    return step;
  };
  createInterface({ input: child.stdout }).on("line", (line) => of(line).resolve());
  return {
    process: child,
    step: (name) => within(60_000, of(name).promise, () => `the worker does not come to "${name}"`),
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

export interface Crash {
  readonly id: string;
  /** Who is killed: the worker in any case, after the others. */
  readonly victims: readonly Part[];
  /** From when the first of the others is there; without others, from when the worker begins with the container. */
  readonly afterMs: number;
  /** The next worker knows of the container by a lease; else it finds it. */
  readonly isLeased: boolean;
}

/** Answers what is left in the end, and which victims were still there to be killed. */
export async function crashRound(
  identity: RigIdentity,
  { id, victims, afterMs, isLeased }: Crash,
): Promise<{ left: string[]; hit: Part[] }> {
  const containers = await Containers.of(identity);
  const first = startHalfWorker(identity, id, "sleep 0.1");
  await first.step("open");
  const [earliest] = victims;
  if (earliest !== undefined) {
    await until(
      10_000,
      () => containers.pid(id, earliest),
      () => `there is no ${earliest}`,
      1,
    );
  }
  await delay(afterMs); // the moment is what is tested
  const hit: Part[] = [];
  for (const victim of victims) {
    const pid = await containers.pid(id, victim);
    if (pid !== undefined && kill(pid)) hit.push(victim);
  }
  await first.kill();
  const rig = await Rig.open(identity);
  if (isLeased) {
    const place = containerPlace(identity.data, id);
    await rig.runtime.clearOthers([place]);
    const adoption = await rig.runtime.adopt(place, { door: (inside) => inside.destroy() });
    if (adoption.state === "running")
      await within(10_000, adoption.process.end, () => "an adopted container has no end");
    await rig.runtime.clear(place);
    await rig.runtime.clear(place); // twice does no harm
  }
  await rig.close();
  return { left: await remainsOf(identity), hit };
}
