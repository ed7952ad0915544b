/** npm's lock file as it goes into an image: without what is for development, this package, and what only that needs. */
import { InvalidError } from "../errors.ts";
import { isOwnName, type Manifest, strippedManifest } from "./manifests.ts";

export interface LockPlace {
  readonly lockName: string;
  /** Of the workspace's packages, from its root; "." is the root itself. */
  readonly folders: ReadonlySet<string>;
}

type Entry = Manifest & { link?: boolean; resolved?: string; dev?: boolean };

interface NpmLock {
  lockfileVersion?: number;
  /** By their paths from the root; "" is the root. */
  packages?: Record<string, Entry>;
  [other: string]: unknown;
}

/** Throws for what lies on this machine alone, and for what was locked elsewhere than Linux needs it. */
export function stripNpmLock(text: string, { lockName, folders }: LockPlace): string {
  const { packages, ...lock } = JSON.parse(text) as NpmLock;
  if ((lock.lockfileVersion ?? 0) < 2 || packages === undefined)
    throw new InvalidError(`${lockName} is of an old form`, {
      hint: "npm install writes it anew, with npm 7 or later",
    });
  const needed = neededIn(packages, folders);
  const all = Object.entries(packages).filter(([path]) => needed.has(path));
  const local = all.find(
    ([, { link, resolved = "" }]) => (link === true && !folders.has(resolved)) || resolved.startsWith("file:"),
  );
  if (local !== undefined) {
    throw new InvalidError(`${lockName} has ${local[0]}, which lies on this machine`, {
      hint: "make it a package of the workspace, publish it to a registry, or import its files by a relative path",
    });
  }
  const known = new Set(all.map(([path]) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)));
  for (const [path, { optionalDependencies = {} }] of all) {
    const missing = Object.keys(optionalDependencies).find((name) => /linux/.test(name) && !known.has(name));
    if (missing !== undefined) {
      throw new InvalidError(`${lockName} lacks ${missing}, which ${path} needs on Linux`, {
        hint: "it was made where that is not installed: remove node_modules and the lock file, and npm install",
      });
    }
  }
  const kept = all.map(([path, entry]) => [
    path,
    path === "" || folders.has(path) ? strippedManifest(entry, false) : entry,
  ]);
  return JSON.stringify({ ...lock, packages: Object.fromEntries(kept) as Record<string, unknown> });
}

/** The paths of what the program's own manifests lead to. */
function neededIn(packages: Readonly<Record<string, Entry>>, folders: ReadonlySet<string>): ReadonlySet<string> {
  const needed = new Set<string>();
  const links = Object.keys(packages).filter((path) => folders.has(packages[path]?.resolved ?? ""));
  const own = ["", ...folders].filter((folder) => folder in packages);
  const waiting = [...own, ...links];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const entry = packages[path];
    if (entry === undefined || needed.has(path)) continue;
    needed.add(path);
    if (entry.link === true && entry.resolved !== undefined) waiting.push(entry.resolved);
    const { dependencies, optionalDependencies, peerDependencies } = entry as Record<string, object | undefined>;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const found = isOwnName(name) ? undefined : placeOf(name, path, packages);
      if (found !== undefined) waiting.push(found);
    }
  }
  return needed;
}

/** Where an import from a package leads, as Node looks for it: in its own node_modules, and in those above it. */
function placeOf(name: string, from: string, packages: Readonly<Record<string, Entry>>): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/")))) {
    const path = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (path in packages) return path;
    if (folder === "") return undefined;
  }
}
