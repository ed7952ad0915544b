/** What clients do with a volume's files from outside: list, put, copy, remove. Each change is a commit. */
import type { Tx } from "../domain/store.ts";
import { type Entry, foldersAbove, joinPath, nameIn, type KeptEntry, type Volume } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { type InUnit, page } from "./changes.ts";
import { allBelow, newFolder } from "./commit.ts";
import { nameOf } from "./known.ts";
import { filePath, volumePath } from "./paths.ts";

export interface Listing {
  volume: Volume;
  path: string;
  recursive: boolean;
}

/**
 * A page of what a folder shows in the volume's state as of `volume.head`, after this path, or of a file the file itself.
 * An empty one is the last. Throws notFound where there is nothing.
 */
export async function listFiles(tx: Tx, { volume, path, recursive }: Listing, after: string): Promise<KeptEntry[]> {
  if (path !== "") {
    const entry = await tx.volumes.entry(volume.id, path, volume.head);
    if (entry === undefined) throw missing(volume, path);
    if (entry.kind !== "folder") return after === "" ? [entry] : [];
  }
  const find = recursive ? "below" : "children";
  return await tx.volumes[find](volume.id, path, volume.head, { after, limit: page });
}

/** Throws alreadyExists for the first one that is there and must not be replaced. */
export async function checkFree(tx: Tx, volume: Volume, written: readonly Pick<Entry, "path">[]): Promise<void> {
  for (const { path } of written) {
    const found = await tx.volumes.entry(volume.id, path, volume.head);
    if (found === undefined || found.kind === "folder") continue; // a folder is never replaced
    throw fail("alreadyExists", `${path}: there is a file with this name in volume ${nameOf(volume)}.`, {
      hint: {
        python: "Upload with `force=True`, or `modal volume put --force`, to replace it",
        typescript: "Upload with `force: true`, or `lydian volume put --force`, to replace it",
      },
    });
  }
}

/**
 * Throws failedPrecondition where a file would take the place of a folder with all that is in it, or something that of a file
 * above it: whoever replaces files has hardly meant that. In a container it takes a removal as well.
 */
export async function checkKinds(
  inUnit: InUnit,
  volume: Volume,
  written: readonly Pick<Entry, "path" | "kind">[],
): Promise<void> {
  const above = new Set(written.flatMap(({ path }) => foldersAbove(path)));
  const folders = [...above].map((path) => ({ path, kind: "folder" as const }));
  const all = [...folders, ...written];
  for (let i = 0; i < all.length; i += page) await inUnit((tx) => checkSome(tx, volume, all.slice(i, i + page)));
}

async function checkSome(tx: Tx, volume: Volume, written: readonly Pick<Entry, "path" | "kind">[]): Promise<void> {
  for (const { path, kind } of written) {
    const found = await tx.volumes.entry(volume.id, path, volume.head);
    if (found === undefined || (found.kind === "folder") === (kind === "folder")) continue;
    const [is, becomes] = found.kind === "folder" ? ["folder", "file"] : ["file", "folder"];
    throw fail("failedPrecondition", `${path} is a ${is} of volume ${nameOf(volume)}, and would become a ${becomes}.`, {
      hint: "Remove it before, or use another name",
    });
  }
}

/** What goes: the path, and all below it, the innermost first. Throws notFound, and invalidArgument for a folder without `recursive`. */
export async function removal(inUnit: InUnit, volume: Volume, text: string, recursive: boolean): Promise<string[]> {
  const path = volumePath(text);
  if (path !== "") {
    const found = await inUnit((tx) => tx.volumes.entry(volume.id, path, volume.head));
    if (found === undefined) throw missing(volume, path);
    if (found.kind !== "folder") return [path];
  }
  if (!recursive) {
    throw fail("invalidArgument", `${path === "" ? "/" : path} is a folder of volume ${nameOf(volume)}.`, {
      hint: {
        python: "Remove it with all that is in it by `recursive=True`, or `modal volume rm -r`",
        typescript: "Remove it with all that is in it by `recursive: true`, or `lydian volume rm -r`",
      },
    });
  }
  const below = await allBelow(inUnit, volume.id, path, volume.head);
  const removed = below.map((entry) => (entry.kind === "folder" ? `${entry.path}/` : entry.path)).toReversed();
  return path === "" ? removed : [...removed, `${path}/`];
}

export interface CopyRequest {
  sources: readonly string[];
  target: string;
  recursive: boolean;
}

/** What is written by a copy, as `cp` has it: into a folder that is there, else under the target's name. */
export async function copies(inUnit: InUnit, volume: Volume, request: CopyRequest, now: number): Promise<Entry[]> {
  const { sources, target, recursive } = request;
  if (sources.length === 0) throw fail("invalidArgument", "There is nothing to copy.");
  const entryAt = (path: string) => inUnit((tx) => tx.volumes.entry(volume.id, path, volume.head));
  const to = volumePath(target);
  const there = to === "" ? newFolder("", now) : await entryAt(to);
  const isFolder = there?.kind === "folder";
  if (!isFolder && (sources.length > 1 || target.endsWith("/"))) {
    throw fail("invalidArgument", `${target} is no folder of volume ${nameOf(volume)}.`);
  }
  const written: Entry[] = [];
  for (const source of sources) {
    const from = filePath(source);
    const found = await entryAt(from);
    if (found === undefined) throw missing(volume, from);
    const path = isFolder ? joinPath(to, nameIn(from)) : to;
    if (path === from) throw fail("invalidArgument", `${from} and ${path} are the same file.`);
    const copy = (entry: KeptEntry, path: string): Entry => ({ ...entry, path, mtime: now * 1000 });
    if (found.kind !== "folder") {
      written.push(copy(found, path));
      continue;
    }
    if (!recursive) {
      throw fail("invalidArgument", `${from} is a folder of volume ${nameOf(volume)}.`, {
        hint: {
          python: "Folders are copied by `recursive=True`, or `modal volume cp -r`, in volumes of version 2",
          typescript: "Folders are copied by `recursive: true`, or `lydian volume cp -r`, in volumes of version 2",
        },
      });
    }
    if (`${path}/`.startsWith(`${from}/`)) {
      throw fail("invalidArgument", `${from} cannot be copied into itself.`);
    }
    written.push(copy(found, path));
    for (const each of await allBelow(inUnit, volume.id, from, volume.head))
      written.push(copy(each, path + each.path.slice(from.length)));
  }
  return written;
}

/** Throws notFound where there is nothing, invalidArgument for what is no file. */
export async function fileAt(tx: Tx, volume: Volume, text: string): Promise<KeptEntry> {
  const path = volumePath(text);
  const found = path === "" ? undefined : await tx.volumes.entry(volume.id, path, volume.head);
  if (found === undefined && path !== "") throw missing(volume, path);
  if (found?.kind === "file") return found;
  const what = found?.kind === "link" ? `a symbolic link to ${found.target}` : "a folder";
  throw fail("invalidArgument", `${path === "" ? "/" : path} is ${what} in volume ${nameOf(volume)}, not a file.`);
}

function missing(volume: Volume, path: string): Error {
  return fail("notFound", `${path}: there is no such file or folder in volume ${nameOf(volume)}.`, {
    hint: "What containers have written is there once they have committed it",
  });
}
