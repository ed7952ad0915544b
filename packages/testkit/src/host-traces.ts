/** What a platform has on this host outside of its folder: everything that carries its name. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { hasCode } from "@lydian/kit";

import { listProcesses, touches } from "./process-table.ts";

const run = promisify(execFile);

/** The short id that the worker of a data folder puts into all names on the host. */
export function instanceOf(data: string): string {
  const workerId = readFileSync(join(data, "worker", "worker-id"), "utf8").trim();
  return createHash("sha256").update(workerId).digest("hex").slice(0, 8);
}

/**
 * Links, nftables tables, mounts, folders below /run, control groups and processes that have one of these words in their
 * names: a platform's short id, its data folder. A line each.
 */
export async function hostTraces(words: readonly string[]): Promise<string[]> {
  const [links, tables, mounts] = await Promise.all([
    run("ip", ["-o", "link"]).then(({ stdout }) => stdout),
    run("nft", ["list", "tables"]).then(({ stdout }) => stdout),
    readFile("/proc/self/mountinfo", "utf8"),
  ]);
  const named = (kind: string, text: string): string[] =>
    text.split("\n").flatMap((line) => (words.some((word) => line.includes(word)) ? [`${kind} ${line}`] : []));
  return [
    ...named("link", links),
    ...named("rules", tables),
    ...named("mount", mounts),
    ...(await folders()).flatMap((path) => named("folder", path)),
    ...listProcesses()
      .filter((entry) => entry.pid !== process.pid && words.some((word) => touches(entry, word)))
      .map(({ pid, command }) => `process ${pid} ${command.join(" ")}`),
  ];
}

/** Where platforms have folders of their own. */
async function folders(): Promise<string[]> {
  const hierarchies = await list("/sys/fs/cgroup");
  const groups = hierarchies.map((name) => join("/sys/fs/cgroup", name, "lydian"));
  const parents = ["/run", "/run/lydian", "/run/netns", "/sys/fs/cgroup/lydian", ...groups];
  return (
    await Promise.all(parents.map(async (parent) => (await list(parent)).map((name) => join(parent, name))))
  ).flat();
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}
