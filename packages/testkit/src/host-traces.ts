/** What a platform has on this host outside of its folder: everything that carries its name. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { listProcesses, touches } from "./process-table.ts";

const run = promisify(execFile);

/** What it is known by. */
export interface HostNames {
  /** Its folder, or its worker's. */
  readonly data: string;
  /** Its short id. */
  readonly instance: string;
  /** The store of the layers that its containers hold. */
  readonly layers: string;
}

/** Of a platform with this data folder, which has been started at least once. */
export function hostNames(data: string): HostNames {
  const workerId = readFileSync(join(data, "worker", "worker-id"), "utf8").trim();
  const instance = createHash("sha256").update(workerId).digest("hex").slice(0, 8);
  return { data, instance, layers: join(process.env["LYDIAN_CACHE"] || "/var/cache/lydian", "images", "layers") };
}

/**
 * Links, nftables tables with their rules and elements, mounts, folders below /run with their pins and records, control
 * groups in each hierarchy, holders of layers, and processes: a line each, which begins with its kind.
 */
export async function hostTraces({ data, instance, layers }: HostNames): Promise<string[]> {
  const [links, rules, mounts] = await Promise.all([
    run("ip", ["-o", "link"]).then(({ stdout }) => stdout),
    tableOf(instance),
    readFile("/proc/self/mountinfo", "utf8"),
  ]);
  const words = [data, instance];
  const named = (text: string): string[] =>
    text.split("\n").filter((line) => words.some((word) => line.includes(word)));
  const own = `/run/lydian/${instance}`;
  // Not further down: a container's own files are not the platform's.
  const folders = [`/run/{,netns/}*${instance}*`, own, `${own}/*`, `${own}/c/*`, `${own}/network/*/*`];
  const groups = `/sys/fs/cgroup/{,*/}lydian/${instance}{,/**}`;
  return Object.entries({
    link: named(links),
    rule: rules,
    mount: named(mounts),
    path: globSync(folders),
    group: globSync(groups, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [join(entry.parentPath, entry.name)] : [],
    ),
    holder: globSync(`*/holders/${instance}.*`, { cwd: layers }),
    process: listProcesses()
      .filter((entry) => entry.pid !== process.pid && words.some((word) => touches(entry, word)))
      .map(({ pid, command }) => `${pid} ${command.join(" ")}`),
  }).flatMap(([kind, names]) => names.map((name) => `${kind} ${name}`));
}

async function tableOf(instance: string): Promise<string[]> {
  const { stdout } = await run("nft", ["list", "tables"]);
  const [, family, name] = new RegExp(`^table (\\S+) (\\S*${instance}\\S*)$`, "m").exec(stdout) ?? [];
  if (family === undefined || name === undefined) return [];
  return (await run("nft", ["list", "table", family, name])).stdout.trim().split("\n");
}
