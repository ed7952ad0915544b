/** Commits, reloads, reads and starts with volumes, beside what a copy, the native disk and no volume take in the same run. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { modal, newestClient, Platform } from "@lydian/testkit";

import { median, ms, printTable } from "./measure.ts";

/** Milliseconds. */
interface Written {
  /** Until it returns, and until others see it. */
  commit: number;
  seen: number;
  /** The longest gap while it is made, and in the same time without it. */
  still: number;
  idle: number;
  copy: number;
}

interface Reloaded {
  took: number;
  still: number;
  idle: number;
}

/** In the volume and natively. */
type Pair = readonly [number, number];

interface Found {
  many: Written[];
  large: (Written & { cold: Pair; warm: Pair })[];
  "many reloaded": Reloaded[];
  "large reloaded": Reloaded[];
  "first wide": number;
  bare: number[];
  wide: number[];
}

const wideFolders = 20;
const wideFiles = 25_000;

/** A volume of half a million files: written into the database, for by commits it would take longer than all else here. */
function makeWide(data: string): void {
  using database = new DatabaseSync(join(data, "server", "store.sqlite"));
  database.exec(`PRAGMA busy_timeout = 60000; BEGIN;
    INSERT INTO volumes (id, environment_id, state, name, version, head, entries, bytes, created_at, created_by)
      SELECT 'vo-wide0000000000000000', id, 'named', 'bench-wide', 1, 1, ${wideFolders * (wideFiles + 1)}, 0, 0, 'bench'
      FROM environments WHERE name = 'main';
    INSERT INTO volume_commits (volume_id, number, key, made_at, made_by, written, removed)
      VALUES ('vo-wide0000000000000000', 1, 'bench', 0, 'bench', ${wideFolders * (wideFiles + 1)}, 0);`);
  const entry = database.prepare(
    `INSERT INTO volume_entries (volume_id, path, since, until, folder, kind, mode, mtime, size, content)
     VALUES ('vo-wide0000000000000000', ?, 1, NULL, ?, ?, ?, 0, 0, x'')`,
  );
  for (let folder = 0; folder < wideFolders; folder++) {
    entry.run(`${folder}`, "", "folder", 0o755);
    for (let i = 0; i < wideFiles; i++) entry.run(`${folder}/${i}`, `${folder}`, "file", 0o644);
  }
  database.exec("COMMIT");
}

await using platform = await Platform.start({ args: ["--log-level", "warn"] });
makeWide(platform.data);
await using program = modal(platform, newestClient, ["run", "-q", "bench/volumes.py"]);
const { code } = await program.finish(1_800_000);
if (code !== 0) throw new Error(program.describe("the client failed"));
const found = JSON.parse(program.stdout.split("\n").find((text) => text.startsWith("{")) ?? "") as Found;

const commit = (name: string, samples: readonly Written[]): string[] => {
  const middle = (field: keyof Written): number => median(samples.map((sample) => sample[field]));
  const [took, seen, still, idle, copy] = [
    middle("commit"),
    middle("seen"),
    middle("still"),
    middle("idle"),
    middle("copy"),
  ];
  const extra = Math.max(0, still - idle);
  return [
    name,
    String(samples.length),
    ms(took),
    ms(copy),
    (took / copy).toFixed(2),
    ms(still),
    ms(idle),
    ms(extra),
    ms(seen),
  ];
};
printTable("commits, medians (aims: ratio at most 0.3, standing still at most 5 ms)", [
  [
    "",
    "rounds",
    "until it returns",
    "cp -a + sync",
    "ratio",
    "longest gap",
    "without a commit",
    "beyond that",
    "others see it",
  ],
  commit("10,000 new small files", found.many),
  commit("one new large file", found.large),
]);
const reload = (name: string, samples: readonly Reloaded[]): string[] => {
  const middle = (field: keyof Reloaded): string => ms(median(samples.map((sample) => sample[field])));
  return [name, String(samples.length), middle("took"), middle("still"), middle("idle")];
};
printTable("a reload of what another container committed and others see, medians (aim: at most 10 ms)", [
  ["", "rounds", "until it returns", "longest gap", "without a reload"],
  reload("10,000 files", found["many reloaded"]),
  reload("one large file", found["large reloaded"]),
]);
const [large] = found.large;
const reads = (name: string, [volume, native]: Pair = [Number.NaN, Number.NaN]): string[] => [
  ...[name, ms(volume), ms(native), (native / volume).toFixed(2)],
];
printTable("reading the large file, medians of five in turn (aim: ratio at least 0.95)", [
  ["", "volume", "native", "ratio of rates"],
  reads("cold", large?.cold),
  reads("warm", large?.warm),
]);
if (found.bare.length > 0) {
  const [bare, wide] = [median(found.bare), median(found.wide)];
  printTable("the first call of a container, medians (aim: at most 5 ms more)", [
    ["", "without a volume", "with one of 500,000 files", "more", "its very first on this worker"],
    [`${found.bare.length} of each`, ms(bare), ms(wide), ms(wide - bare), ms(found["first wide"])],
  ]);
}
