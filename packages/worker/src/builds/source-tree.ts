/** What COPY reads: the files that a client sent along, or the root of another stage or image. */
import { constants, copyFile, lstat, readdir, readlink, symlink, writeFile } from "node:fs/promises";
import { posix } from "node:path";

import { hasCode, PlatformError } from "@lydian/kit";

import type { RootPaths } from "../runtime/runc/root-path.ts";

export interface SourceEntry {
  /** Below the copied folder; empty for a copied file itself. */
  readonly path: string;
  readonly kind: "file" | "folder" | "link";
  /** Permission bits; undefined where nobody knows them. */
  readonly mode: number | undefined;
  /** Puts it at a path of the host where nothing is. */
  place(hostPath: string): Promise<void>;
}

export interface SourceTree {
  /** What a source of COPY means, as absolute paths of the tree. Empty when there is nothing of that name. */
  match(pattern: string): Promise<readonly string[]>;
  isFolder(path: string): Promise<boolean>;
  /** A file's content, or a path of the host that has it. */
  open(path: string): Promise<string | Uint8Array>;
  /** A file itself, or all below a folder, folders first. */
  walk(path: string): AsyncIterable<SourceEntry>;
}

/** Names of a pattern, cleaned. Throws for one that leads out of the tree. */
export function namesOf(pattern: string): string[] {
  const names = pattern.split("/").filter((name) => name !== "" && name !== ".");
  let depth = 0;
  for (const name of names) {
    depth += name === ".." ? -1 : 1;
    if (depth < 0) throw new PlatformError(`${pattern} leads out of what is copied from`);
  }
  return posix
    .normalize(`/${names.join("/")}`)
    .split("/")
    .filter((name) => name !== "");
}

const hasWildcard = (name: string): boolean => /[*?[\\]/.test(name);

/** One file that a client sent. */
export interface ContextEntry {
  readonly sha256: string;
  readonly mode: number;
  /** A file of the host with that content, or the content itself. */
  readonly content: () => Promise<string | Uint8Array>;
}

/** Files by absolute path; the folders are those of their paths. */
export class ContextTree implements SourceTree {
  readonly #files: ReadonlyMap<string, ContextEntry>;
  readonly #folders = new Set<string>(["/"]);

  constructor(files: ReadonlyMap<string, ContextEntry>) {
    this.#files = files;
    for (const path of files.keys()) {
      for (let folder = posix.dirname(path); !this.#folders.has(folder); folder = posix.dirname(folder)) {
        this.#folders.add(folder);
      }
    }
  }

  async match(pattern: string): Promise<readonly string[]> {
    const names = namesOf(pattern);
    const path = `/${names.join("/")}`;
    if (this.#files.has(path) || this.#folders.has(path)) return [path];
    if (!names.some(hasWildcard)) return [];
    const all = [...this.#folders, ...this.#files.keys()];
    return all.filter((each) => each !== "/" && posix.matchesGlob(each, path)).sort();
  }

  async isFolder(path: string): Promise<boolean> {
    return this.#folders.has(path);
  }

  async open(path: string): Promise<string | Uint8Array> {
    const file = this.#files.get(path);
    if (file === undefined) throw new PlatformError(`${path} is no file of the context`);
    return await file.content();
  }

  async *walk(path: string): AsyncGenerator<SourceEntry> {
    const file = this.#files.get(path);
    if (file !== undefined) return yield entryOf("", file);
    const prefix = path === "/" ? "/" : `${path}/`;
    const below = (each: string): boolean => each.startsWith(prefix) && each !== prefix;
    for (const folder of [...this.#folders].filter(below).sort()) {
      yield { path: folder.slice(prefix.length), kind: "folder", mode: undefined, place: async () => {} };
    }
    for (const [each, entry] of this.#files) if (below(each)) yield entryOf(each.slice(prefix.length), entry);
  }

  /** What is copied by these sources, for a key: names, contents and modes. */
  async identity(patterns: readonly string[]): Promise<readonly unknown[]> {
    const identity: unknown[] = [];
    for (const pattern of patterns) {
      for (const path of await this.match(pattern)) {
        const prefix = path === "/" ? "/" : `${path}/`;
        const files = [...this.#files].filter(([each]) => each === path || each.startsWith(prefix));
        const sorted = files.toSorted(([a], [b]) => (a < b ? -1 : 1));
        identity.push([path, sorted.map(([each, { sha256, mode }]) => [each, sha256, mode])]);
      }
    }
    return identity;
  }
}

function entryOf(path: string, { mode, content }: ContextEntry): SourceEntry {
  return {
    path,
    kind: "file",
    mode: mode === 0 ? 0o644 : mode & 0o7777,
    place: async (hostPath) => {
      const found = await content();
      if (typeof found === "string") await copyNew(found, hostPath);
      else await writeFile(hostPath, found, { flag: "wx" });
    },
  };
}

/** The root of a stage or image, mounted on the host; nothing runs in it. */
export class RootTree implements SourceTree {
  readonly #paths: RootPaths;

  constructor(paths: RootPaths) {
    this.#paths = paths;
  }

  async match(pattern: string): Promise<readonly string[]> {
    let found = [""];
    for (const name of namesOf(pattern)) {
      const next = hasWildcard(name)
        ? await Promise.all(found.map(async (folder) => this.#named(folder, name)))
        : [found.map((folder) => `${folder}/${name}`)];
      found = next.flat();
    }
    const there = await Promise.all(found.map(async (path) => (await this.#stats(path || "/")) !== undefined));
    return found.filter((_, index) => there[index]).map((path) => path || "/");
  }

  async isFolder(path: string): Promise<boolean> {
    return (await this.#stats(path))?.isDirectory() ?? false;
  }

  async open(path: string): Promise<string> {
    return this.#paths.realPath(path);
  }

  async *walk(path: string): AsyncGenerator<SourceEntry> {
    const real = this.#paths.realPath(path);
    if (await this.isFolder(path)) yield* walkFolder(real, "");
    else yield await diskEntry(real, "");
  }

  async #named(folder: string, pattern: string): Promise<string[]> {
    if (!(await this.isFolder(folder || "/"))) return [];
    const names = (await readdir(this.#paths.realPath(folder || "/"))).sort();
    return names.filter((name) => posix.matchesGlob(name, pattern)).map((name) => `${folder}/${name}`);
  }

  async #stats(path: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
    try {
      return await lstat(this.#paths.realPath(path));
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    }
  }
}

async function* walkFolder(folder: string, path: string): AsyncGenerator<SourceEntry> {
  for (const { name } of await readdir(folder, { withFileTypes: true })) {
    const below = path === "" ? name : `${path}/${name}`;
    const entry = await diskEntry(posix.join(folder, name), below);
    yield entry;
    if (entry.kind === "folder") yield* walkFolder(posix.join(folder, name), below);
  }
}

async function diskEntry(file: string, path: string): Promise<SourceEntry> {
  const stats = await lstat(file);
  const mode = stats.mode & 0o7777;
  if (stats.isDirectory()) return { path, kind: "folder", mode, place: async () => {} };
  if (stats.isFile()) return { path, kind: "file", mode, place: (hostPath) => copyNew(file, hostPath) };
  if (!stats.isSymbolicLink()) throw new PlatformError(`${path || file} is neither a file, a folder nor a link`);
  return { path, kind: "link", mode: undefined, place: async (hostPath) => symlink(await readlink(file), hostPath) };
}

const copyNew = (file: string, hostPath: string): Promise<void> =>
  copyFile(file, hostPath, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
