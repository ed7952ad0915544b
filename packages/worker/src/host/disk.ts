/** The disk below a folder: its file system, what is free, and whether files can share blocks. */
import { constants, copyFile, mkdtemp, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { hasCode } from "@lydian/kit";

import { type Finding, missing, ok, type Probed, warning } from "./finding.ts";

export interface Disk {
  readonly fileSystem: string;
  readonly freeBytes: number;
  /** Copies of files share their blocks; undefined where it could not be tried. */
  readonly reflink: boolean | undefined;
}

/** The numbers that statfs(2) gives; `trouble` is what goes wrong there. */
const fileSystems = new Map<number, { name: string; trouble?: string }>([
  [0xef53, { name: "ext4" }],
  [0x58465342, { name: "xfs" }],
  [0x9123683e, { name: "btrfs" }],
  [0x2fc12fc1, { name: "zfs" }],
  [0xf2f52010, { name: "f2fs" }],
  [0x794c7630, { name: "overlayfs", trouble: "the data ends with the container whose file system this is" }],
  [0x01021994, { name: "tmpfs", trouble: "the data is gone after a restart of the machine" }],
  [0x6969, { name: "NFS", trouble: "a database over the network can lose what it was told is safe" }],
  [0xff534d42, { name: "CIFS", trouble: "a database over the network can lose what it was told is safe" }],
  [0x65735546, { name: "a FUSE file system", trouble: "not all of them keep what was synced" }],
]);

/** A container that appends a byte to a file of 2 GiB of a volume waits for a copy of it where blocks cannot be shared. */
const reflinkAdvice =
  "large files of volumes change faster on a file system whose copies share blocks: XFS (mkfs.xfs) or btrfs for the data folder";

const gibibyte = 2 ** 30;
const littleRoom = 5 * gibibyte;
const noRoom = gibibyte / 4;

/** Of the folder, or of the nearest one above it that exists. */
export async function probeDisk(folder: string): Promise<Probed<Disk>> {
  const place = await nearestExisting(folder);
  const { type, bavail, bsize } = await statfs(place);
  const { name, trouble } = fileSystems.get(type) ?? { name: `file system 0x${type.toString(16)}` };
  const disk: Disk = { fileSystem: name, freeBytes: bavail * bsize, reflink: await canShareBlocks(place) };
  return { value: disk, finding: { name: "Disk", ...judge(disk, trouble) } };
}

function judge({ fileSystem, freeBytes, reflink }: Disk, trouble: string | undefined): Finding {
  const shares = reflink === undefined ? "" : reflink ? ", copies share blocks" : ", copies take room (no reflink)";
  const detail = `${(freeBytes / gibibyte).toFixed(1)} GiB free on ${fileSystem}${shares}`;
  const remedy = "free some, or choose a folder on another disk with --data";
  if (freeBytes < noRoom) return missing(detail, remedy);
  if (freeBytes < littleRoom) return warning(`${detail}: little room for images and volumes`, remedy);
  return trouble === undefined
    ? ok(detail, reflink === false ? reflinkAdvice : undefined)
    : warning(`${detail}: ${trouble}`, "choose a folder on a local disk with --data");
}

async function canShareBlocks(place: string): Promise<boolean | undefined> {
  try {
    await using folder = await probeFolder(place);
    const file = join(folder.path, "a");
    await writeFile(file, "x");
    await copyFile(file, join(folder.path, "b"), constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    if (hasCode(error, "EACCES", "EROFS", "EPERM", "ENOSPC")) return undefined;
    if (hasCode(error, "ENOTSUP", "EOPNOTSUPP", "ENOTTY", "EINVAL", "EXDEV", "ENOSYS")) return false;
    throw error;
  }
}

/** A folder for trying things out, gone in the end. */
export async function probeFolder(place: string): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(place, ".lydian-probe-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export async function nearestExisting(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    if (path !== dirname(path) && hasCode(error, "ENOENT", "ENOTDIR")) return nearestExisting(dirname(path));
    return path; // closed to this user: whoever opens it says so
  }
}
