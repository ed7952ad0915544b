/** Where the kernel's control groups are mounted, as /proc/self/mountinfo tells. */

export interface CgroupMounts {
  /** Version 1: the folder of each hierarchy, and what it carries: controllers, or `name=…`. */
  readonly hierarchies: readonly { readonly folder: string; readonly carries: readonly string[] }[];
  /** Version 2. */
  readonly unified: string | undefined;
}

/** Options of a version 1 mount that are not controllers. */
const notControllers = new Set(["rw", "ro", "none", "noprefix", "clone_children", "xattr", "cpuset_v2_mode"]);

/** Each hierarchy once, in the order of the mounts; the same one mounted again (in a container's folder) does not count. */
export function parseMountinfo(text: string): CgroupMounts {
  const hierarchies: { folder: string; carries: string[] }[] = [];
  const seen = new Set<string>();
  let unified: string | undefined;
  for (const line of text.split("\n")) {
    // 36 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:1 - cgroup cgroup rw,cpu
    const [left = "", right = ""] = line.split(" - ");
    const [, , device = "", , folder = ""] = left.split(" ");
    const [kind, , options = ""] = right.split(" ");
    if ((kind !== "cgroup" && kind !== "cgroup2") || seen.has(device)) continue;
    seen.add(device);
    if (kind === "cgroup2") unified ??= unescape(folder);
    else hierarchies.push({ folder: unescape(folder), carries: controllersIn(options) });
  }
  return { hierarchies, unified };
}

/** `rw,xattr,name=systemd` or `rw,cpu,cpuacct`. */
function controllersIn(options: string): string[] {
  return options.split(",").filter((option) => !notControllers.has(option) && !option.startsWith("release_agent="));
}

/** A space, tab, newline or backslash in a path is written as three octal digits. */
function unescape(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCodePoint(Number.parseInt(digits, 8)));
}
