/** A program as it ships: its sources at their own paths, what they run as, and what they read. */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { codeFolder, type CodeManifest, home, manifestName, programFolder } from "../runner/layout.ts";
import { digestOf } from "./mount.ts";
import { modeOf, type ShippedFile } from "./shipped-files.ts";
import type { SourceGraph } from "./source-graph.ts";

/** `others`: files beside the code, from the root. */
export function shipment({ root, modules }: SourceGraph, others: readonly string[]): ShippedFile[] {
  const codes = new Map<string, string>();
  const manifest: Record<string, CodeManifest["modules"][string]> = {};
  for (const { path, code, imports } of modules) {
    if (code === undefined) continue;
    const name = `${digestOf(code)}.js`;
    codes.set(name, code);
    manifest[path] = { code: name, imports };
  }
  const manifests = ["package.json"].filter((path) => existsSync(join(root, path)));
  const paths = new Set([...modules.map(({ path }) => path), ...others, ...manifests]);
  return [
    ...[...paths].map((path) => {
      const file = join(root, path);
      return { remote: `${home}/${path}`, content: { file }, mode: modeOf(file) };
    }),
    ...[...codes].map(([name, code]) => own(`${codeFolder}/${name}`, code)),
    own(manifestName, JSON.stringify({ modules: manifest } satisfies CodeManifest)),
  ];
}

function own(name: string, text: string): ShippedFile {
  return { remote: `${home}/${programFolder}/${name}`, content: { text }, mode: 0o644 };
}
