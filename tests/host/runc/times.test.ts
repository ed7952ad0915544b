/** What a container costs: printed, and bounded so generously that only a fault goes beyond. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import { needsContainers, sharedRig } from "./rig.ts";

const shared = sharedRig();
const runs = 9;

test("a container starts and is gone in little time and memory", needsContainers, async (t) => {
  const { rig } = shared;
  const times: Record<string, number[]> = { lay: [], start: [], "signal to end": [], "end to free": [] };
  const measure = async <T>(what: string, work: Promise<T>): Promise<T> => {
    const began = performance.now();
    const done = await work;
    times[what]?.push(performance.now() - began);
    return done;
  };
  let memory = "";
  for (let run = 0; run < runs; run++) {
    const place = await rig.place();
    await measure("lay", rig.lay(place, { memoryMib: 128, milliCpu: 500 }));
    const container = await measure("start", rig.start(place, "echo up; exec sleep 60"));
    await rig.said(place, "up\n");
    const conmon = await readFile(`/run/lydian/${rig.identity.instance}/c/${place.id}/bundle/conmon-pid`, "utf8");
    memory = /^Pss: +(.*)$/m.exec(await readFile(`/proc/${conmon}/smaps_rollup`, "latin1"))?.[1] ?? "";
    container.signal("SIGKILL");
    await measure("signal to end", container.end);
    await measure("end to free", rig.runtime.clear(place));
  }
  const figures = Object.entries(times).map(([what, all]) => {
    const sorted = all.toSorted((a, b) => a - b);
    const [least = 0, median = 0] = [sorted[0], sorted[Math.floor(runs / 2)]];
    return { text: `${what} ${median.toFixed(1)} (${least.toFixed(1)}) ms`, median };
  });
  t.diagnostic(`${figures.map(({ text }) => text).join(", ")}; conmon holds ${memory} (PSS)`);
  for (const { text, median } of figures) assert.ok(median < 2000, text);
});
