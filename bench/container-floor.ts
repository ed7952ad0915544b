/** The floor of a cold start: bare `runc run` of a container's own root and configuration, for as much of the program. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { Mounter } from "@lydian/worker/src/layers/index";
import type { OciSpec } from "@lydian/worker/src/runtime/runc/oci-spec";
import type { RuncRecord } from "@lydian/worker/src/runtime/runc/record";
import { type Platform } from "@lydian/testkit";

import { containerFolder } from "./container-host.ts";

/** Says so when it has come as far as the client's hello, but for talking to anybody. */
const program = "import os, modal._container_entrypoint; os.write(1, b'up')";

/** Milliseconds from the spawn of runc to the first word, this often. `id` runs, and lends its namespaces. */
export async function floorOf(platform: Platform, id: string, rounds: number): Promise<number[]> {
  const place = join(platform.data, "worker", "containers", id);
  const record = JSON.parse(await readFile(join(place, "runc.json"), "utf8")) as RuncRecord;
  const spec = JSON.parse(await readFile(join(containerFolder(id), "bundle", "config.json"), "utf8")) as OciSpec;
  await using folder = await mkdtempDisposable(join(platform.data, "floor-"));
  // Root inside, who is nobody's superuser outside, must get through to its root file system.
  await using open = await mkdtempDisposable(join(dirname(dirname(containerFolder(id))), "floor-"));
  await chmod(open.path, 0o711);
  const target = join(open.path, "root");
  await mkdir(target);
  const userns = spec.linux.namespaces.find(({ type }) => type === "user")?.path;
  const base = spec.linux.uidMappings?.[0]?.hostID ?? 0;
  const mounter = await Mounter.start();
  try {
    await mounter.mountRoot({
      lowers: record.layers,
      work: join(folder.path, "work"),
      target,
      volatile: true,
      ...(userns !== undefined && { idMap: { userns, base } }),
    });
    const { args } = spec.process; // of the init, the interpreter, then `-m` and the client's entry point
    const bare: OciSpec = {
      ...spec,
      root: { ...spec.root, path: target },
      process: { ...spec.process, args: [...args.slice(0, args.indexOf("-m")), "-c", program] },
      linux: { ...spec.linux, cgroupsPath: `${spec.linux.cgroupsPath}-floor` },
    };
    await writeFile(join(folder.path, "config.json"), JSON.stringify(bare));
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) times.push(await runOnce(folder.path, `floor-${round}`));
    return times;
  } finally {
    await mounter.unmount(target);
    await mounter.close();
  }
}

async function runOnce(bundle: string, id: string): Promise<number> {
  const began = performance.now();
  const runc = spawn("runc", ["--root", join(bundle, "state"), "run", "--bundle", bundle, id], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(runc, "close");
  await Promise.race([once(runc.stdout, "data"), ended]);
  const took = performance.now() - began;
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`runc ended with ${code}`);
  return took;
}
