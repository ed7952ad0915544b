/** Programs of Debian's packages that only tests and benchmarks need: unpacked into the cache, not installed. */
import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { messageOf, namesIn } from "@lydian/kit";

const run = promisify(execFile);

export interface DebianPrograms {
  /** Their path by name, below usr/bin. */
  readonly path: (name: string) => string;
  /** What they find their libraries by. */
  readonly env: NodeJS.ProcessEnv;
}

/** Fetches the packages once for each list of them; answers why not where that cannot be done. */
export async function debianPrograms(packages: readonly string[], cache: string): Promise<DebianPrograms | string> {
  const folder = join(cache, "programs", packages.join("+"));
  try {
    await access(folder).catch(() => fetchPackages(packages, folder));
    const machines = (await namesIn(join(folder, "usr/lib"))).filter((name) => name.endsWith("-linux-gnu"));
    const libraries = machines.flatMap((name) => [join(folder, "usr/lib", name), join(folder, "lib", name)]);
    return {
      path: (name) => join(folder, "usr/bin", name),
      env: { ...process.env, LD_LIBRARY_PATH: libraries.join(":") },
    };
  } catch (error) {
    return `no ${packages[0]} from this host's package sources: ${messageOf(error)}`;
  }
}

async function fetchPackages(packages: readonly string[], folder: string): Promise<void> {
  await mkdir(join(folder, ".."), { recursive: true });
  const work = await mkdtemp(`${folder}.`);
  try {
    await run("apt-get", ["download", "-q", ...packages], { cwd: work });
    const archives = (await readdir(work)).filter((name) => name.endsWith(".deb"));
    for (const archive of archives) await run("dpkg", ["-x", join(work, archive), join(work, "root")]);
    await rename(join(work, "root"), folder).catch(async (error: unknown) => {
      await access(folder).catch(() => Promise.reject(error)); // another one was quicker
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
