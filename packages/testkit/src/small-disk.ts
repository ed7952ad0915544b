/** A disk of its own for a test: ext4 in a file, mounted in a temporary folder. */
import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, rm, statfs, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { messageOf } from "@lydian/kit";

const run = promisify(execFile);

export class SmallDisk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = join(folder, "disk");
  }

  /** Why there can be none here, or undefined. */
  static async lack(): Promise<string | undefined> {
    if (process.getuid?.() !== 0) return "mounting a disk needs root";
    try {
      await run("losetup", ["--find"]);
      await run("mkfs.ext4", ["-V"]);
      return undefined;
    } catch (error) {
      return `no disk can be made here: ${messageOf(error)}`;
    }
  }

  static async make(mebibytes: number, options: { inodes?: number } = {}): Promise<SmallDisk> {
    const disk = await SmallDisk.#inNewFolder();
    const file = join(disk.#folder, "file");
    await writeFile(file, "");
    await truncate(file, mebibytes * 2 ** 20);
    const inodes = options.inodes === undefined ? [] : ["-N", String(options.inodes)];
    await run("mkfs.ext4", ["-q", "-m", "0", ...inodes, file]);
    await run("mount", ["-o", "loop", file, disk.path]);
    return disk;
  }

  static async #inNewFolder(): Promise<SmallDisk> {
    const disk = new SmallDisk(await mkdtemp(join(tmpdir(), "lydian-disk-")));
    await chmod(disk.#folder, 0o711); // the server's own user passes through here
    await mkdir(disk.path);
    return disk;
  }

  /** What a power cut leaves at this moment, mounted elsewhere: what was not synced is not in it. Nobody may write to it meanwhile. */
  async cutOff(): Promise<SmallDisk> {
    const disk = await SmallDisk.#inNewFolder();
    await copyFile(join(this.#folder, "file"), join(disk.#folder, "file"));
    await run("mount", ["-o", "loop", join(disk.#folder, "file"), disk.path]);
    return disk;
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }

  async freeInodes(): Promise<number> {
    return (await statfs(this.path)).ffree;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", ["--lazy", this.path]); // mounts on it may still be about to end
    await rm(this.#folder, { recursive: true });
  }
}
