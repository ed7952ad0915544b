/** All processes of a platform are killed at once, as by a power cut, but its containers go on; then it is started again. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { modal, newestClient, Platform, type ProcessEntry, python } from "@lydian/testkit";

import { Containers, type Part } from "./containers.ts";
import { kill } from "./killer.ts";
import { keptIn } from "./idle.ts";

const leave = `${join(import.meta.dirname, "numbered.py")}::leave`;

export interface PowerCut {
  /** How many are under way. */
  readonly calls: number;
  /** From when they were accepted. */
  readonly afterMs: number;
  /** What of each container is killed as well, where it is there. */
  readonly parts: readonly Part[];
}

/** `data` may have been a platform's folder before. What was called is answered, and then nothing is left. */
export async function powerCut(data: string, { calls, afterMs, parts }: PowerCut): Promise<void> {
  const runtime = "runc";
  await using first = await Platform.start({ data, runtime });
  await using client = modal(first, newestClient, ["run", "--detach", leave, "--count", String(calls)]);
  const ids = [...(await client.finishWith(0)).matchAll(/call (fc-\w+)/g)].map(([, id = ""]) => id);
  assert.equal(ids.length, calls);

  const containers = await Containers.of(first.names);
  await pause(afterMs); // the moment is what is tested
  // Whoever starts others goes first.
  const own = (["supervisor", "worker", "server"] as const).map((role) => first.process(role));
  for (const { pid } of own.filter((entry): entry is ProcessEntry => entry !== undefined)) kill(pid);
  for (const { id } of containers.list()) {
    const pids = await Promise.all(parts.map((part) => containers.pid(id, part)));
    for (const pid of pids) if (pid !== undefined) kill(pid);
  }
  await first.ended();

  await using second = await Platform.start({ data, runtime });
  await using fetch = python(second, newestClient, [join(import.meta.dirname, "fetch.py"), ...ids]);
  await fetch.finishWith(0, 120_000);
  await second.stop();
  assert.deepEqual(keptIn(second), []);
}
