/** The package.json files of a workspace, as they go into an image: without what would run or is of this machine alone. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";

import { InvalidError } from "../errors.ts";

export interface Manifest {
  name?: string;
  version?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  workspaces?: string[] | { packages?: string[] };
  packageManager?: string;
  [other: string]: unknown;
}

/** This package and its parts, which come with the program. */
export const isOwnName = (name: string): boolean => name === "lydian" || name.startsWith("@lydian/");

export function readManifest(file: string): Manifest {
  const text = readFileSync(file, "utf8");
  try {
    return JSON.parse(text) as Manifest;
  } catch (error) {
    throw new InvalidError(`${file} is no JSON`, { cause: error });
  }
}

/** By path from the root: its own, and those of the workspace's packages. */
export function manifestsOf(root: string, globs: readonly string[]): ReadonlyMap<string, Manifest> {
  const [excluded, included] = [
    globs.filter((glob) => glob.startsWith("!")),
    globs.filter((glob) => !glob.startsWith("!")),
  ];
  const without = excluded.map((glob) => glob.slice(1));
  const folders = globSync(included, { cwd: root, exclude: ["**/node_modules/**", ...without] });
  const paths = folders
    .map((folder) => join(folder, "package.json").split(sep).join("/"))
    .filter((path) => existsSync(join(root, path)));
  return new Map(["package.json", ...paths.toSorted()].map((path) => [path, readManifest(join(root, path))]));
}

/** What tools read of a manifest when they install. */
const kept = [
  "name",
  "version",
  "dependencies",
  "optionalDependencies",
  "peerDependencies",
  "peerDependenciesMeta",
  "dependenciesMeta",
  "workspaces",
  "overrides",
  "resolutions",
  "pnpm",
  "trustedDependencies",
  "allowScripts",
  "catalog",
  "catalogs",
  "os",
  "cpu",
];

/** Left out: scripts, which would run in the image; what is for development, but where the lock file has to agree with it; this package, which comes with the program. */
export function strippedManifest(manifest: Manifest, keepsDev: boolean): Manifest {
  const names = keepsDev ? [...kept, "devDependencies"] : kept;
  const own = Object.fromEntries(names.flatMap((name) => (name in manifest ? [[name, manifest[name]]] : [])));
  const without = (packages: unknown): Record<string, string> =>
    Object.fromEntries(Object.entries(packages as Record<string, string>).filter(([name]) => !isOwnName(name)));
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"])
    if (own[kind] !== undefined) own[kind] = without(own[kind]);
  return { name: "program", version: "0.0.0", ...own, private: true };
}
