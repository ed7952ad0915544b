/** Commits, reloads and reads of volumes, beside what a copy and the native disk take in the same container. */
import { Platform, modal, newestClient } from "@lydian/testkit";

import { ms, printTable } from "./measure.ts";

interface Found {
  many: [number, number, number];
  large: [number, number, number];
  read: [number, number];
  reload: [number, number];
}

await using platform = await Platform.start({ args: ["--log-level", "warn"] });
await using program = modal(platform, newestClient, ["run", "-q", "bench/volumes.py"]);
const { code } = await program.finish(1_800_000);
if (code !== 0) throw new Error(program.describe("the client failed"));
const line = program.stdout.split("\n").find((text) => text.startsWith("{")) ?? "";
const { many, large, read, reload } = JSON.parse(line) as Found;
const commit = (name: string, [whole, still, copy]: Found["many"]): string[] => [
  name,
  ms(whole),
  ms(still),
  ms(copy),
  (whole / copy).toFixed(2),
];
printTable("commits", [
  ["", "until it returns", "standing still", "cp -a + sync", "ratio"],
  commit("many small files", many),
  commit("one large file", large),
]);
printTable("a reload of what another container committed", [
  ["", "until it returns", "standing still"],
  ["all of that", ms(reload[0]), ms(reload[1])],
]);
printTable("reading the large file, warm", [
  ["volume", "native", "ratio of rates"],
  [ms(read[0]), ms(read[1]), (read[1] / read[0]).toFixed(2)],
]);
