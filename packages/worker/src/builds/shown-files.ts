/** Files of mounts that are shown to a step and are not its image's: laid out for it, and taken out of what it leaves. */
import { readdir, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";

import type * as wire from "@lydian/contract/worker";
import { hasCode } from "@lydian/kit";

import { layMounts } from "../container/mounts.ts";
import { entryKind, type Layer, sealDiff } from "../layers/index.ts";
import { refuseSystemPath } from "../runtime/runc/runc-layout.ts";
import { withRoot } from "./copy-step.ts";
import type { Stack, StepHost } from "./step-host.ts";

export interface ShownFiles {
  /** To lie on the stack while the step runs. */
  readonly layer: Layer;
  /** Where they are in it, relative to its root. */
  readonly paths: readonly string[];
}

/** `work` is made; the layer lies in it. */
export async function showFiles(
  mounts: readonly wire.Mount[],
  stack: Stack,
  work: string,
  host: Pick<StepHost, "mounter" | "content">,
  signal: AbortSignal,
): Promise<ShownFiles> {
  const paths = await withRoot(host, stack, work, async (root, folder) => {
    const hostPath = (path: string): string => {
      refuseSystemPath(path);
      return root.hostPath(path);
    };
    const laid = await layMounts(mounts, { content: host.content, places: { hostPath }, signal });
    return laid.map((file) => relative(folder, file.hostPath));
  });
  const diff = join(work, "u");
  sealDiff(diff);
  return { layer: { id: "shown", diff }, paths };
}

/**
 * Takes out of the upper what the step has made of them, and what Python has compiled of them; and what it has made of
 * folders that were only there for them. Links in the place of folders are not followed: they may lead anywhere on the host.
 */
export async function leaveOut({ paths }: ShownFiles, upper: string, stack: Stack): Promise<void> {
  for (const path of paths) {
    const folder = dirname(path);
    if ((await entryKind(upper, folder)) !== "folder") continue;
    if ((await entryKind(upper, path)) !== "folder") await rm(join(upper, path), { force: true });
    await leaveOutCompiled(join(upper, folder), basename(path));
  }
  const folders = new Set(paths.flatMap(foldersAbove));
  for (const folder of [...folders].sort().toReversed()) {
    if (await isInStack(folder, stack)) continue;
    const kind = await entryKind(upper, folder);
    if (kind === "folder") await removeIfEmpty(join(upper, folder));
    if (kind === "whiteout") await rm(join(upper, folder));
  }
}

async function leaveOutCompiled(folder: string, name: string): Promise<void> {
  if (!name.endsWith(".py") || (await entryKind(folder, "__pycache__")) !== "folder") return;
  const cache = join(folder, "__pycache__");
  const stem = name.slice(0, -"py".length);
  const compiled = (await readdir(cache)).filter((each) => each.startsWith(stem) && each.endsWith(".pyc"));
  for (const each of compiled) await rm(join(cache, each), { force: true });
  if (compiled.length > 0) await removeIfEmpty(cache);
}

/** Those above a relative path, the root left out. */
function foldersAbove(path: string): string[] {
  const folder = dirname(path);
  return folder === "." ? [] : [folder, ...foldersAbove(folder)];
}

async function isInStack(folder: string, stack: Stack): Promise<boolean> {
  for (const { diff } of stack) if ((await entryKind(diff, folder)) === "folder") return true;
  return false;
}

async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!hasCode(error, "ENOTEMPTY", "EEXIST")) throw error;
  }
}
