/** One round of the tests of crashes: a worker is killed at some moment of a container's life, and another one comes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { hasCode } from "@lydian/kit";
import { listProcesses, within } from "@lydian/testkit";

import { containerPlace } from "@lydian/worker/src/container/folder";
import { leftovers } from "./leftovers.ts";
import { Rig, type RigIdentity } from "./rig.ts";

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
  /** From when the worker begins with the container. */
  readonly afterMs: number;
  /** Who is killed: the worker in any case, after the others. */
  readonly victims: readonly ("conmon" | "runc" | "container")[];
  /** The next worker knows of the container by a lease; else it finds it. */
  readonly isLeased: boolean;
}

/** Answers what is left in the end. */
export async function crashRound(identity: RigIdentity, { id, afterMs, victims, isLeased }: Crash): Promise<string[]> {
  const first = startHalfWorker(identity, id, "sleep 0.05");
  await first.step("open");
  await delay(afterMs); // the moment is what is tested
  for (const victim of victims) killAll(victim, identity, id);
  await first.kill();
  const rig = await Rig.open(identity);
  if (isLeased) {
    const place = containerPlace(identity.data, id);
    await rig.runtime.clearOthers(new Set([id]));
    const adoption = await rig.runtime.adopt(place, { door: (inside) => inside.destroy() });
    if (adoption.state === "running")
      await within(10_000, adoption.process.end, () => "an adopted container has no end");
    await rig.runtime.clear(place);
    await rig.runtime.clear(place); // twice does no harm
  }
  await rig.close();
  return leftovers(identity);
}

/** conmon and runc name the container's folder; its own process is known by its control group. */
function killAll(victim: Crash["victims"][number], identity: RigIdentity, id: string): void {
  const folder = `/run/lydian/${identity.instance}/c/${id}/`;
  for (const { pid, command } of listProcesses()) {
    const isVictim =
      victim === "container"
        ? isIn(pid, `/lydian/${identity.instance}/${id}`)
        : command[0]?.endsWith(victim) === true && command.some((argument) => argument.startsWith(folder));
    if (isVictim) kill(pid);
  }
}

function isIn(pid: number, group: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, "latin1").includes(group);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH")) return false;
    throw error;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error;
  }
}
