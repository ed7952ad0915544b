/** How long `lydian up` takes until it is ready, on a folder that a platform had before; and until it has ended. */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Platform } from "@lydian/testkit";

import { median, ms, percentile, printTable } from "./measure.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 9);
const starts: number[] = [];
const stops: number[] = [];

await using folder = await mkdtempDisposable(join(tmpdir(), "lydian-bench-"));
for (let round = 0; round <= rounds; round++) {
  const began = performance.now();
  const platform = await Platform.start({ data: folder.path });
  const ready = performance.now();
  await platform.stop();
  if (round === 0) continue; // makes the folder, and fills the caches
  starts.push(ready - began);
  stops.push(performance.now() - ready);
}
printTable(`lydian up on an existing folder, ${rounds} times`, [
  ["", "median", "lowest", "highest"],
  ["start to ready", ms(median(starts)), ms(percentile(starts, 0)), ms(percentile(starts, 1))],
  ["SIGTERM to the end", ms(median(stops)), ms(percentile(stops, 0)), ms(percentile(stops, 1))],
]);
