/** npm packages that a program imports: an image layer of what its lock file says, made by the tool that wrote that. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";

import { InvalidError } from "../errors.ts";
import { manifestsOf, type Manifest, readManifest, strippedManifest } from "./manifests.ts";
import { type LockTool, lockTools } from "./package-tools.ts";
import type { SourceGraph } from "./source-graph.ts";

export interface Packages {
  /** As they go into the image, by their paths from the program's root. */
  readonly files: Readonly<Record<string, string>>;
  /** What installs them, of a shell in the program's root. */
  readonly command: string;
  /** For people: "npm ci, as package-lock.json says". */
  readonly what: string;
}

/** Undefined for a program that imports none. Throws for what cannot be installed, by its name. */
export function packagesOf({ root, packages }: SourceGraph, installed: readonly string[] = []): Packages | undefined {
  const wanted = [...packages].filter(([name]) => !installed.includes(name));
  const [first] = wanted;
  if (first === undefined) return undefined;
  if (!existsSync(join(root, "package.json"))) {
    throw new InvalidError(`${first[1]} imports "${first[0]}", and ${root} has no package.json that names it`, {
      hint: `npm install ${first[0]}`,
    });
  }
  for (const [name, importer] of wanted) check(root, name, importer);
  const { name: lockName, tool, text } = lockOf(root);
  const manifests = manifestsOf(root, tool.workspaceGlobs(root));
  for (const [name, importer] of wanted) checkInstalled(root, name, importer, { lockName, manifests });
  const folders = new Set([...manifests.keys()].map((path) => dirname(path).split(sep).join("/")));
  const version = versionOf(manifests.get("package.json") ?? {}, tool);
  return {
    files: {
      ...Object.fromEntries(
        [...manifests].map(([path, manifest]) => [path, JSON.stringify(strippedManifest(manifest, tool.keepsDev))]),
      ),
      [lockName]: tool.strip(text, { lockName, folders }),
      ...tool.settings(root),
    },
    command: tool.command(version, text),
    what: `${tool.title}, as ${lockName} says`,
  };
}

/** What only a manifest names that is no part of the workspace is not in its lock file. */
function checkInstalled(
  root: string,
  name: string,
  importer: string,
  { lockName, manifests }: { lockName: string; manifests: ReadonlyMap<string, Manifest> },
): void {
  const own = relative(root, nearestManifest(root, importer)).split(sep).join("/");
  if (manifests.has(own) || isNamed(name, manifests.get("package.json") ?? {})) return;
  const folder = dirname(own);
  throw new InvalidError(
    `${join(root, own)} names ${name}, which ${relative(join(root, folder), join(root, lockName))} has not`,
    {
      hint: `give ${folder} a lock file of its own (npm install --workspaces=false), or make it a package of the workspace above it`,
    },
  );
}

const isNamed = (name: string, { dependencies, optionalDependencies }: Manifest): boolean =>
  name in { ...dependencies, ...optionalDependencies };

/** Why a package that is imported is not installed here, and what to do. */
export function hintForMissing(root: string, name: string, importer: string): string {
  const own = nearestManifest(root, importer);
  if (existsSync(own) && [own, join(root, "package.json")].some((file) => isNamed(name, readManifest(file))))
    return `${own} names ${name}, which is not installed here: npm install, or what your tool has for it`;
  return `${existsSync(own) ? `${own} does not name ${name}` : `there is no package.json that names ${name}`}: npm install ${name}`;
}

/** The manifest of the importing file's own package has to name what it imports; the workspace's may do so for all. */
function check(root: string, name: string, importer: string): void {
  const own = nearestManifest(root, importer);
  const files = [...new Set([own, join(root, "package.json")])];
  const manifests = files.map(readManifest);
  if (manifests.some((manifest) => isNamed(name, manifest))) return;
  const isDev = manifests.some(({ devDependencies = {} }) => name in devDependencies);
  throw new InvalidError(
    `${importer} imports "${name}", which ${isDev ? "is only among the devDependencies" : "is no dependency"} of ${own}`,
    { hint: `npm install ${name}` },
  );
}

function nearestManifest(root: string, importer: string): string {
  for (let folder = dirname(importer); !relative(root, folder).startsWith(".."); folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (existsSync(file)) return file;
  }
  return join(root, "package.json");
}

function lockOf(root: string): { name: string; tool: LockTool; text: string } {
  const found = Object.keys(lockTools).filter((name) => existsSync(join(root, name)));
  const [name, ...others] = found;
  if (name === undefined) {
    const other = existsSync(join(root, "bun.lockb"))
      ? { text: "bun.lockb is in a form that is not read", hint: "bun install --save-text-lockfile" }
      : { text: "there is no lock file, which says what is installed", hint: "npm install --package-lock-only" };
    throw new InvalidError(`${other.text} (in ${root})`, { hint: other.hint });
  }
  if (others.length > 0) {
    throw new InvalidError(`${root} has several lock files: ${found.join(", ")}`, {
      hint: "keep the one of the tool that you use",
    });
  }
  const text = readFileSync(join(root, name), "utf8");
  const tool = lockTools[name]?.(text);
  if (tool === undefined) throw new InvalidError(`${join(root, name)} is of a form that is not read`);
  return { name, tool, text };
}

/** What the manifest's `packageManager` says of this tool: "pnpm@10.2.0+sha512…" is 10.2.0. */
function versionOf({ packageManager }: Manifest, { manager }: LockTool): string | undefined {
  const [, name, version] = /^(\w+)@(\d+\.\d+\.\d+[\w.-]*)/.exec(packageManager ?? "") ?? [];
  return name === manager ? version : undefined;
}
