/** A cache folder for a file of tests: what it removes of images and layers is nobody else's. */
import { execFile } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { after } from "node:test";
import { promisify } from "node:util";

/** Has what platforms of this host share, as other names of the same files, so that nothing is made anew. Gone after the tests. */
export async function ownCache(): Promise<string> {
  const shared = process.env["LYDIAN_CACHE"] ?? "/var/cache/lydian";
  const own = `${shared}-of-test-${process.pid}`; // beside it, for it has to be on the same disk
  after(() => rm(own, { recursive: true, force: true }));
  for (const folder of [".", "images", "images/layers"]) {
    await mkdir(join(own, folder), { recursive: true, mode: 0o700 });
    const names = await readdir(join(shared, folder)).catch(() => []); // the first run on this host
    const isWhole = (name: string): boolean => !name.startsWith(".") && !["images", "layers"].includes(name);
    const sources = names.filter(isWhole).map((name) => join(shared, folder, name));
    if (sources.length > 0) await promisify(execFile)("cp", ["-al", "-t", join(own, folder), ...sources]);
  }
  for (const name of await readdir(join(own, "images", "layers"))) {
    const holders = join(own, "images", "layers", name, "holders");
    for (const holder of await readdir(holders)) await rm(join(holders, holder));
  }
  return own;
}
