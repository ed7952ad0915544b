/** What a platform has left on this host: everything that carries its name. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { listProcesses } from "@lydian/testkit";

import { openTestLayers } from "./debian-layer.ts";
import type { RigIdentity } from "./rig.ts";

const run = promisify(execFile);

/** Everything on this host that carries the platform's name, or lies in its folder and is not a plain file. */
export async function leftovers({ data, instance }: RigIdentity): Promise<string[]> {
  const [links, tables, mounts] = await Promise.all([
    run("ip", ["-o", "link"]).then(({ stdout }) => stdout),
    run("nft", ["list", "tables"]).then(({ stdout }) => stdout),
    readFile("/proc/self/mountinfo", "utf8"),
  ]);
  const named = (text: string): string[] => text.split("\n").filter((line) => line.includes(instance));
  const below = mounts.split("\n").filter((line) => line.includes(data));
  return [
    ...named(links).map((line) => `link ${line}`),
    ...named(tables),
    ...new Set([...named(mounts), ...below].map((line) => `mount ${line}`)),
    ...(await processes(instance, data)),
    ...(await folders(instance)).map((folder) => `folder ${folder}`),
    ...(await holders(instance)).map((holder) => `holder ${holder}`),
  ];
}

/** Zombies are none: they wait for the host's first process. */
async function processes(...words: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const { pid, command } of listProcesses()) {
    if (pid === process.pid) continue;
    const group = await readFile(`/proc/${pid}/cgroup`, "latin1").catch(() => ""); // it ended meanwhile
    const isNamed = words.some((word) => group.includes(word) || command.some((argument) => argument.includes(word)));
    if (isNamed) found.push(`process ${pid} ${command.join(" ")}`);
  }
  return found;
}

async function folders(instance: string): Promise<string[]> {
  const hierarchies = await readdir("/sys/fs/cgroup");
  const groups = hierarchies.map((name) => join("/sys/fs/cgroup", name, "lydian"));
  const parents = ["/run", "/run/lydian", "/run/netns", "/sys/fs/cgroup/lydian", ...groups];
  const found = await Promise.all(
    parents.map(async (parent) => {
      const names = await readdir(parent).catch(() => []);
      return names.filter((name) => name.includes(instance)).map((name) => join(parent, name));
    }),
  );
  return found.flat();
}

async function holders(instance: string): Promise<string[]> {
  const layers = await openTestLayers();
  return [...(await layers.holders()).values()].flat().filter((name) => name.startsWith(`${instance}.`));
}
