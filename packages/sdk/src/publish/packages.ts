/** npm packages that a program imports: an image layer of what its lock file says. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { InvalidError } from "../errors.ts";
import type { SourceGraph } from "./source-graph.ts";

export interface Packages {
  /** As they go into the image; their own scripts, and what a container needs not, are left out. */
  readonly manifest: string;
  readonly lock: string;
}

interface Manifest {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  workspaces?: unknown;
  [other: string]: unknown;
}

interface Lock {
  lockfileVersion?: number;
  packages?: Record<string, Manifest & { link?: boolean; resolved?: string }>;
  [other: string]: unknown;
}

const otherLocks = ["pnpm-lock.yaml", "yarn.lock", "bun.lock", "npm-shrinkwrap.json"];

/** Undefined for a program that imports none. Throws for what cannot be installed, by its name. */
export function packagesOf({ root, packages }: SourceGraph): Packages | undefined {
  if (packages.size === 0) return undefined;
  const [first = "", importer = ""] = [...packages][0] ?? [];
  const manifestFile = join(root, "package.json");
  if (!existsSync(manifestFile)) {
    throw new InvalidError(`${importer} imports "${first}", and ${root} has no package.json that names it`, {
      hint: `npm install ${first}`,
    });
  }
  const manifest = JSON.parse(readFileSync(manifestFile, "utf8")) as Manifest;
  for (const [name, file] of packages) check(manifest, manifestFile, name, file);
  return { manifest: JSON.stringify(strippedManifest(manifest)), lock: JSON.stringify(strippedLock(readLock(root))) };
}

function check(manifest: Manifest, manifestFile: string, name: string, importer: string): void {
  if (name in { ...manifest.dependencies, ...manifest.optionalDependencies }) return;
  const isDev = name in (manifest.devDependencies ?? {});
  throw new InvalidError(
    `${importer} imports "${name}", which ${isDev ? "is only among the devDependencies" : "is no dependency"} of ${manifestFile}`,
    {
      hint: `npm install ${name}`,
    },
  );
}

function readLock(root: string): Lock {
  const file = join(root, "package-lock.json");
  if (existsSync(file)) {
    const lock = JSON.parse(readFileSync(file, "utf8")) as Lock;
    if ((lock.lockfileVersion ?? 0) >= 2 && lock.packages !== undefined) return lock;
    throw new InvalidError(`${file} is of an old form`, { hint: "npm install writes it anew, with npm 7 or later" });
  }
  const other = otherLocks.find((name) => existsSync(join(root, name)));
  throw new InvalidError(
    other === undefined
      ? `${root} has no package-lock.json, which says what is installed`
      : `${join(root, other)} is not read yet; package-lock.json is`,
    { hint: "npm install --package-lock-only" },
  );
}

/** Left out: scripts, which would run in the image; what is for development; this package, which comes with the program. */
function strippedManifest({ dependencies = {}, optionalDependencies, ...rest }: Manifest): Manifest {
  if (rest.workspaces !== undefined) {
    throw new InvalidError("packages of a workspace are not installed yet: its package.json has `workspaces`", {
      hint: "put the program into a package of its own, with its own package-lock.json",
    });
  }
  const { lydian: _own, ...others } = dependencies;
  return {
    name: rest["name"] ?? "program",
    version: rest["version"] ?? "0.0.0",
    dependencies: others,
    ...(optionalDependencies && { optionalDependencies }),
    ...(rest["overrides"] !== undefined && { overrides: rest["overrides"] }),
  };
}

function strippedLock({ packages = {}, ...lock }: Lock): Lock {
  const local = Object.entries(packages).find(
    ([path, { link, resolved = "" }]) =>
      path !== "node_modules/lydian" && (link === true || resolved.startsWith("file:")),
  );
  if (local !== undefined) {
    throw new InvalidError(`package-lock.json has ${local[0]}, which lies on this machine`, {
      hint: "publish it to a registry, or import its files by a relative path",
    });
  }
  const { "": self = {}, ...others } = packages;
  const kept = Object.entries(others).filter(
    ([path, entry]) => !/^node_modules\/lydian(?:\/|$)/.test(path) && entry["dev"] !== true,
  );
  return { ...lock, packages: { "": strippedManifest(self), ...Object.fromEntries(kept) } };
}
