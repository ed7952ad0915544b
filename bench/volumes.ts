/** Commits, reloads and reads of volumes, beside what a copy and the native disk take in the same container. */
import { Platform, modal, newestClient } from "@lydian/testkit";

import { median, ms, printTable } from "./measure.ts";

/** Milliseconds of each round. */
interface Found {
  /** Until it returns, standing still, a copy, standing still when nothing is done. */
  many: [number, number, number, number][];
  /** The same, and reading it in the volume and natively. */
  large: [number, number, number, number, number, number][];
  /** Until it returns, standing still, and when nothing is done: at once after the other's commit, and when its layer is made. */
  soon: [number, number, number][];
  later: [number, number, number][];
  "later large": [number, number, number][];
}

await using platform = await Platform.start({ args: ["--log-level", "warn"] });
await using program = modal(platform, newestClient, ["run", "-q", "bench/volumes.py"]);
const { code } = await program.finish(1_800_000);
if (code !== 0) throw new Error(program.describe("the client failed"));
const found = JSON.parse(program.stdout.split("\n").find((text) => text.startsWith("{")) ?? "") as Found;
const middle = (samples: readonly (readonly number[])[], column: number): number =>
  median(samples.map((sample) => sample[column] ?? Number.NaN));
const commit = (name: string, samples: readonly (readonly number[])[]): string[] => {
  const [whole = 0, still = 0, copy = 0, idle = 0] = [0, 1, 2, 3].map((column) => middle(samples, column));
  return [name, String(samples.length), ms(whole), ms(still), ms(idle), ms(copy), (whole / copy).toFixed(2)];
};
printTable("commits, medians", [
  ["", "rounds", "until it returns", "standing still", "and without a commit", "cp -a + sync", "ratio"],
  commit("many small files", found.many),
  commit("one large file", found.large),
]);
const reload = (name: string, samples: readonly (readonly number[])[]): string[] => [
  name,
  String(samples.length),
  ms(middle(samples, 0)),
  ms(middle(samples, 1)),
  ms(middle(samples, 2)),
];
printTable("a reload of what another container committed, medians", [
  ["", "rounds", "until it returns", "standing still", "and without a reload"],
  reload("many small files, at once", found.soon),
  reload("many small files, 5 s later", found.later),
  reload("one large file, 5 s later", found["later large"]),
]);
const [volume, native] = [middle(found.large, 4), middle(found.large, 5)];
printTable("reading the large file, warm", [
  ["volume", "native", "ratio of rates"],
  [ms(volume), ms(native), (native / volume).toFixed(2)],
]);
