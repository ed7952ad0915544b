/** COPY and ADD: files are laid into the mounted root of the image so far, whose upper becomes the next layer. */
import { chmod, lchown, lstat, mkdir, rename, rm } from "node:fs/promises";
import { join, posix } from "node:path";

import { hasCode, PlatformError } from "@lydian/kit";

import type { Account } from "../runtime/runtime.ts";
import { RootPaths } from "../runtime/runc/root-path.ts";
import { headOf, isArchive, unpack } from "./archives.ts";
import { accountFiles, findAccount } from "./accounts.ts";
import type { CopyStep } from "./fold.ts";
import { RootTree, type SourceEntry, type SourceTree } from "./source-tree.ts";
import type { Stack, StepHost } from "./step-host.ts";

type Mounts = Pick<StepHost, "mounter">;

/** Mounts a stack for reading and writing; what is written lands in `work`/u. */
export async function withRoot<T>(
  { mounter }: Mounts,
  stack: Stack,
  work: string,
  use: (paths: RootPaths, root: string) => Promise<T>,
): Promise<T> {
  const target = `${work}-merged`;
  const empty = `${work}-empty`; // overlayfs takes no stack of nothing
  for (const folder of [work, target, empty]) await mkdir(folder, { mode: 0o755 });
  const lowers = stack.length > 0 ? stack : [{ id: "empty", diff: empty }];
  await mounter.mountRoot({ lowers, work, target, volatile: true });
  try {
    return await use(new RootPaths(target), target);
  } finally {
    await mounter.unmount(target);
  }
}

/** As a layer's `fill`. */
export async function fillByCopying(
  step: CopyStep,
  source: SourceTree,
  stack: Stack,
  [diff, scratch]: readonly [diff: string, scratch: string],
  host: Mounts,
  signal: AbortSignal,
): Promise<void> {
  const work = join(scratch, "copy");
  await withRoot(host, stack, work, async (paths) => {
    const owner =
      step.chown === undefined
        ? undefined
        : findAccount(step.chown, await accountFiles((path) => paths.realPath(path)));
    await copyInto(paths, step, source, { owner, scratch: work, signal });
  });
  await rename(join(work, "u"), diff);
}

/** Copies into a root in which nothing runs. Archives that are added are unpacked beside `scratch`. */
export async function copyInto(
  root: RootPaths,
  step: CopyStep,
  source: SourceTree,
  { owner, scratch, signal }: { owner?: Account | undefined; scratch: string; signal: AbortSignal },
): Promise<void> {
  const writer = new RootWriter(root, owner, step.chmod);
  let unpackings = 0;
  for (const pattern of step.sources) {
    const found = await source.match(pattern);
    if (found.length === 0) throw new PlatformError(`there is no ${pattern} to copy`);
    for (const path of found) {
      const unpacked = step.isAdd ? await unpackedOf(source, path, `${scratch}-${unpackings++}`, signal) : undefined;
      if (unpacked === undefined) await copyOne(step.target, source, path, writer, signal);
      else await copyOne(step.target, unpacked, "/", writer, signal);
    }
  }
}

/** What is in an archive; undefined for whatever is none. */
async function unpackedOf(
  source: SourceTree,
  path: string,
  folder: string,
  signal: AbortSignal,
): Promise<SourceTree | undefined> {
  if (await source.isFolder(path)) return undefined;
  const content = await source.open(path);
  if (!isArchive(path, await headOf(content))) return undefined;
  await unpack(content, folder, signal);
  return new RootTree(new RootPaths(folder));
}

async function copyOne(
  target: string,
  source: SourceTree,
  path: string,
  writer: RootWriter,
  signal: AbortSignal,
): Promise<void> {
  const isFolder = await source.isFolder(path);
  const intoFolder = !isFolder && (target.endsWith("/") || (await writer.isFolder(target)));
  const to = intoFolder
    ? posix.join(target, posix.basename(path))
    : posix.join("/", target, ".").replace(/(.)\/$/, "$1");
  if (isFolder) await writer.folder(to);
  for await (const entry of source.walk(path)) {
    signal.throwIfAborted();
    await writer.lay(entry.path === "" ? to : posix.join(to, entry.path), entry);
  }
}

class RootWriter {
  readonly #paths: RootPaths;
  readonly #owner: Account | undefined;
  readonly #mode: number | undefined;

  constructor(paths: RootPaths, owner: Account | undefined, mode: number | undefined) {
    this.#paths = paths;
    this.#owner = owner;
    this.#mode = mode;
  }

  async isFolder(path: string): Promise<boolean> {
    return path === "/" || (await this.#kind(this.#paths.realPath(path))) === "folder";
  }

  /** With the folders above it; those that are made are root's, as Docker makes them, or the owner's that was asked for. */
  async folder(path: string, mode = 0o755): Promise<void> {
    if (await this.isFolder(path)) return;
    await this.folder(posix.dirname(path));
    const place = this.#paths.hostPath(path);
    await this.#refuse(place, path, "file");
    await mkdir(place);
    await chmod(place, mode);
    await this.#own(place);
  }

  async lay(path: string, entry: SourceEntry): Promise<void> {
    if (entry.kind === "folder") return await this.folder(path, entry.mode);
    await this.folder(posix.dirname(path));
    const place = this.#paths.hostPath(path);
    await this.#refuse(place, path, "folder");
    await rm(place, { force: true }); // what the image has there, never what a link of it leads to
    await entry.place(place);
    if (entry.kind === "file") await chmod(place, this.#mode ?? entry.mode ?? 0o644);
    await this.#own(place);
  }

  async #refuse(place: string, path: string, kind: "file" | "folder"): Promise<void> {
    if ((await this.#kind(place)) === kind) throw new PlatformError(`${path} of the image is a ${kind}`);
  }

  async #kind(place: string): Promise<"file" | "folder" | undefined> {
    try {
      const stats = await lstat(place);
      return stats.isDirectory() ? "folder" : stats.isSymbolicLink() ? undefined : "file";
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    }
  }

  /** The mount has no map of ids: what root owns here is root's in every container. */
  async #own(place: string): Promise<void> {
    if (this.#owner !== undefined) await lchown(place, this.#owner.uid, this.#owner.gid);
  }
}
