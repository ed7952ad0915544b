/** Files by which the kernel speaks to the host's root alone. Which there are is for each kernel to say: builds of their own add theirs. */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The kernel asks for a capability that no container has, and refuses by itself. */
const guarded = new Set(["kmsg"]);

/** Their paths, in `/proc` itself. */
export function filesOfRoot(folder = "/proc"): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !guarded.has(entry.name))
    .map(({ name }) => join(folder, name))
    .filter((path) => (lstatSync(path).mode & 0o077) === 0);
}
