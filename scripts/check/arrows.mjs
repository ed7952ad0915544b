// Fails on an import that the table of arrows does not allow, on a relative import across a package's border, and on a
// package that is imported without being declared.

import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { packageArrows, rootArrows, testArrows } from "./arrow-table.mjs";
import { isScript, listFiles } from "./files.mjs";
import { listImports } from "./imports.mjs";
import { serverFault, serverPlace } from "./server-arrows.mjs";

/**
 * @typedef {import("./imports.mjs").Import} Import
 * @typedef {{ package?: string, root?: string, inTest: boolean }} Region one of a package and a folder at the root
 * @typedef {{ folder: string, declared: Set<string> }} Manifest
 * @typedef {{ path: string, region: Region, manifests: Map<string, Manifest> }} Importer
 */

/** @param {string} root @returns {string[]} */
export function checkArrows(root) {
  const files = listFiles(root);
  const manifests = readManifests(root, files);
  const strangers = [...manifests.values()]
    .filter(({ folder }) => !(folder in packageArrows))
    .map(({ folder }) => `packages/${folder} is not in the table of arrows (scripts/check/arrow-table.mjs)`);
  const findings = files.filter(isScript).flatMap((path) => {
    const importer = { path, region: regionOf(path), manifests };
    return listImports(readFileSync(`${root}/${path}`, "utf8")).flatMap((found) => {
      const fault = found.specifier.startsWith(".") ? relativeFault(importer, found) : namedFault(importer, found);
      return fault ? [`${path}:${found.line} imports "${found.specifier}": ${fault}`] : [];
    });
  });
  return [...strangers, ...findings];
}

/** @param {string} path @returns {Region} */
function regionOf(path) {
  const [top = "", name = "", folder = ""] = path.split("/");
  if (top === "packages") return { package: name, inTest: folder === "test" };
  return { root: top, inTest: top === "tests" };
}

/**
 * By the name in package.json, which is not always the folder's: the SDK is called `lydian`.
 *
 * @param {string} root
 * @param {string[]} files
 * @returns {Map<string, Manifest>}
 */
function readManifests(root, files) {
  return new Map(
    files
      .filter((path) => /^packages\/[^/]+\/package\.json$/.test(path))
      .map((path) => {
        const manifest = JSON.parse(readFileSync(`${root}/${path}`, "utf8"));
        const groups = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];
        const declared = new Set(groups.flatMap((group) => Object.keys(manifest[group] ?? {})));
        return [manifest.name, { folder: path.split("/")[1] ?? "", declared }];
      }),
  );
}

/**
 * @param {Importer} importer
 * @param {Import} found
 * @returns {string | undefined}
 */
function relativeFault({ path, region }, found) {
  const target = posix.join(posix.dirname(path), found.specifier);
  const other = regionOf(target);
  if (other.package !== region.package && other.package) return "a relative import crosses a package's border";
  if (other.root === "tests" && region.root !== "tests") return "only tests import tests";
  if (region.package && !region.inTest && other.inTest) return "source does not import its tests";
  return region.package === "server" ? serverFault(path, target) : undefined;
}

/**
 * @param {Importer} importer
 * @param {Import} found
 * @returns {string | undefined}
 */
function namedFault({ path, region, manifests }, found) {
  if (found.specifier.startsWith("#")) return undefined;
  const name = packageName(found.specifier);
  const workspace = manifests.get(name)?.folder;
  const own = [...manifests.values()].find(({ folder }) => folder === region.package);
  if (workspace === region.package && workspace) return undefined; // its own name: tests use it
  const allowed = workspace === undefined ? undefined : arrowFault(region, workspace, found.typeOnly);
  if (allowed) return allowed;
  if (serverPlace(path)?.folder === "domain" && !isPure(workspace, found)) {
    return "domain is pure: it imports kit, and types of contract";
  }
  const isDeclared = found.specifier.startsWith("node:") || !own || own.declared.has(name);
  return isDeclared || region.inTest
    ? undefined
    : `${name} is not a dependency in packages/${own?.folder}/package.json`;
}

/**
 * @param {Region} region
 * @param {string} target
 * @param {boolean} typeOnly
 * @returns {string | undefined}
 */
function arrowFault(region, target, typeOnly) {
  const table = region.package ? packageArrows[region.package] : rootArrows[region.root ?? ""];
  const arrows = [...(table ?? []), ...(region.package && region.inTest ? testArrows : [])];
  if (arrows.includes("*") || arrows.includes(target)) return undefined;
  if (arrows.includes(`${target}:types`)) return typeOnly ? undefined : `only types come from ${target}`;
  return `${region.package ?? region.root} must not import ${target}`;
}

/** @param {string | undefined} workspace @param {Import} found */
const isPure = (workspace, found) => workspace === "kit" || (workspace === "contract" && found.typeOnly);

/** "@lydian/server/main" -> "@lydian/server"; "ws/lib/x" -> "ws". @param {string} specifier */
const packageName = (specifier) =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
