/** Says which files of a mount a container's processes use, for people: the kernel has decided already that some are. */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";

import { PlatformError } from "@lydian/kit";

/** `device`: of the mount's file system. A phrase such as `models/a.bin is open in "python train.py"`; empty when none is found. */
function usedFile(pids: readonly number[], device: number): string {
  for (const pid of pids) {
    const proc = `/proc/${pid}`;
    if (isOn(join(proc, "cwd"), device))
      return `the working folder of ${commandOf(proc)} is ${linkOf(join(proc, "cwd"))}`;
    for (const name of namesOf(join(proc, "fd"))) {
      const descriptor = join(proc, "fd", name);
      if (isOn(descriptor, device)) return `${linkOf(descriptor)} is open in ${commandOf(proc)}`;
    }
    const mapped = mappedOf(proc, device).find((name) => isOn(join(proc, "map_files", name), device));
    if (mapped !== undefined) return `${linkOf(join(proc, "map_files", mapped))} is mapped by ${commandOf(proc)}`;
  }
  return "";
}

/** Processes end while they are looked at. */
function orNothing<T>(look: () => T, nothing: T): T {
  try {
    return look();
  } catch {
    return nothing;
  }
}

const isOn = (path: string, device: number): boolean => orNothing(() => statSync(path).dev === device, false);
const linkOf = (path: string): string => orNothing(() => readlinkSync(path), "a file");
const namesOf = (folder: string): string[] => orNothing(() => readdirSync(folder), []);

/**
 * The names in `map_files` of maps that may be of files on this device. To look at each takes long: a program maps hundreds. Kernels
 * before 6.8 say the disk's device instead of the mount's.
 */
function mappedOf(proc: string, device: number): string[] {
  const maps = orNothing(() => readFileSync(join(proc, "maps"), "utf8"), "").split("\n");
  return maps.flatMap((line) => {
    const [range = "", , , of = ""] = line.split(" ", 4);
    if (of !== hexOf(device) && /^0*:/.test(of)) return [];
    return range.replaceAll(/(^|-)0+(?=[^-])/g, "$1");
  });
}

/** Major and minor number, as `maps` says them. */
function hexOf(device: number): string {
  const [high, low] = [Math.floor(device / 2 ** 32), device % 2 ** 32];
  const major = high - (high % 0x1000) + ((low >>> 8) & 0xfff);
  const minor = (low & 0xff) + ((low >>> 20) << 8);
  return `${major.toString(16).padStart(2, "0")}:${minor.toString(16).padStart(2, "0")}`;
}

function commandOf(proc: string): string {
  const words = orNothing(() => readFileSync(join(proc, "cmdline"), "utf8"), "").split("\0");
  return JSON.stringify(words.join(" ").trim().slice(0, 80));
}

type Processes = { pids(): Promise<number[]> };

const refusal = (used: string): PlatformError =>
  new PlatformError(`there are open files preventing the operation${used === "" ? "" : `: ${used}`}`, {
    hint: "close them, and reload again",
  });

/** For a reload that has found files of this device in use. */
export async function inUse(container: Processes, device: number): Promise<PlatformError> {
  return refusal(usedFile(await container.pids(), device));
}

/** For one that has nothing new to show: as documented it fails all the same, or a program would do so only once there is. */
export async function refuseInUse(container: Processes, device: number): Promise<void> {
  const used = usedFile(await container.pids(), device);
  if (used !== "") throw refusal(used);
}
