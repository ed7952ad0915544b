/**
 * Shows what is below a folder of the host at the same paths inside a root, none of it to be changed: a whole folder where
 * the root has none of that name, else what is in it, one by one. What would lie below another mount is left out.
 */
import { fstatSync, readdirSync } from "node:fs";

import { bindMount } from "./bind-mount.ts";
import { type Descriptor, isFolder, openFolder, openInRoot } from "./descriptor.ts";
import type { TreeMount } from "./mounter.ts";

export function showTree(tree: TreeMount): void {
  using root = openFolder(tree.root);
  showBelow("", root, tree);
}

function showBelow(folder: string, root: Descriptor, tree: TreeMount): void {
  for (const entry of readdirSync(tree.source + folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    using there = entry.isDirectory() ? openInRoot(root, path, "any") : undefined;
    if (there === undefined || !isFolder(there))
      bindMount({ ...tree, source: tree.source + path, path, readOnly: true });
    else if (isOneFileSystem(there, root)) showBelow(path, root, tree);
  }
}

const isOneFileSystem = (a: Descriptor, b: Descriptor): boolean => fstatSync(a.number).dev === fstatSync(b.number).dev;
