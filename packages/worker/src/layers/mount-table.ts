/** What is mounted where, by /proc/self/mountinfo, and how it is taken away. */
import { readFileSync, realpathSync } from "node:fs";
import { sep } from "node:path";

import { hasCode } from "@lydian/kit/errors";

import { detachMount } from "./mount-calls.ts";
import { SystemCallError } from "./system-call.ts";

export interface MountEntry {
  readonly id: number;
  readonly parent: number;
  /** Of its file system: the same for all clones of one mount. */
  readonly device: string;
  readonly point: string;
}

export function parseMountInfo(text: string): MountEntry[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [id, parent, device = "", , point = ""] = line.split(" ");
      // Space, tab, newline and backslash are written as three octal digits.
      const plain = point.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
      return { id: Number(id), parent: Number(parent), device, point: plain };
    });
}

/**
 * Where to detach so that nothing is left below `folder` (and, with `itself`, on it): the outermost points only, as often
 * as mounts lie on them, latest first. What is mounted below them goes with them, and none of their names is resolved:
 * those are the container's, which could put a link to a mount of the host in their place.
 */
export function pointsToDetach(entries: readonly MountEntry[], folder: string, itself: boolean): string[] {
  const below = folder.endsWith(sep) ? folder : `${folder}${sep}`;
  const inside = entries.filter(({ point }) => point.startsWith(below) || (itself && point === folder));
  const ids = new Set(inside.map(({ id }) => id));
  const outermost = new Set(inside.filter(({ parent }) => !ids.has(parent)).map(({ point }) => point));
  return inside
    .map(({ point }) => point)
    .filter((point) => outermost.has(point))
    .toReversed();
}

/** A mount that was hidden by another, or is made meanwhile, comes to light in the next pass. */
const passes = 10;

/** Detaches all mounts below a folder of ours, and with `itself` those on it; nothing happens when there are none. */
export function detachAll(folder: string, itself: boolean): void {
  const path = realPath(folder);
  if (path === undefined) return;
  let failure: SystemCallError | undefined;
  for (let pass = 0; pass < passes; pass++) {
    const points = pointsToDetach(parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8")), path, itself);
    if (points.length === 0) return;
    for (const point of points) {
      try {
        detachMount(point);
      } catch (error) {
        if (!(error instanceof SystemCallError) || !hasCode(error, "EINVAL", "ENOENT")) throw error;
        failure = error; // hidden by another mount, or gone meanwhile: the next pass sees
      }
    }
  }
  throw failure ?? new Error(`mounts below ${folder} come again as often as they are taken away`);
}

function realPath(folder: string): string | undefined {
  try {
    return realpathSync.native(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

export function isMounted(target: string): boolean {
  return parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8")).some(({ point }) => point === target);
}

/** Where clones of a mount are below a folder; none when it is not mounted itself. */
export function clonesOf(mount: string, below: string): string[] {
  const entries = parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8"));
  const device = entries.findLast(({ point }) => point === mount)?.device;
  if (device === undefined) return [];
  const isClone = (entry: MountEntry): boolean => entry.device === device && entry.point.startsWith(`${below}${sep}`);
  return entries.filter((entry) => isClone(entry) && entry.point !== mount).map(({ point }) => point);
}
