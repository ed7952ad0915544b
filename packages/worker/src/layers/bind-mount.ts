/**
 * Shows a file or folder of the host at a path inside a root whose content is hostile: any name in it may be, or may be
 * turned into, a symbolic link that points out. All resolution is the kernel's, confined to the root, and what is made is
 * made in folders that are already open.
 */
import { chmodSync, fstatSync } from "node:fs";

import { PlatformError } from "@lydian/kit/errors";

import {
  Descriptor,
  isFolder,
  makeFile,
  makeFolder,
  openEntry,
  openFile,
  openFolder,
  openInRoot,
  readLink,
} from "./descriptor.ts";
import { asOwner, attach, attribute, cloneTree, setAttributes } from "./mount-calls.ts";
import type { BindMount } from "./mounter.ts";

export function bindMount(mount: BindMount): void {
  const path = plainPath(mount.path);
  using root = openFolder(mount.root);
  using userns = mount.idMap === undefined ? undefined : openFile(mount.idMap.userns);
  using source = sourceOf(mount);
  const set = attribute.noSuid | attribute.noDevices | (mount.readOnly ? attribute.readOnly : 0);
  setAttributes(source, { set, userns, propagation: "private" });
  using place = placeInside(root, path, isFolder(source) ? "folder" : "file");
  if (isFolder(source) !== isFolder(place)) {
    const [is, becomes] = isFolder(place) ? ["a folder", "a file"] : ["a file", "a folder"];
    throw new PlatformError(`${mount.path} is ${is} in the image and cannot become ${becomes}`);
  }
  attach(source, place);
}

/** A clone of what is to be shown. */
function sourceOf({ source, within, readOnly }: BindMount): Descriptor {
  if (within === undefined) return cloneTree(source);
  using whole = openFolder(source);
  const path = plainPath(`/${within}`);
  using folder = readOnly ? openInRoot(whole, path, "folder") : placeInside(whole, path, "folder");
  if (folder === undefined || !isFolder(folder)) throw new PlatformError(`there is no folder ${path} to mount`);
  return cloneTree(folder);
}

/** As the wire may say anything: absolute, no `.`, `..` or empty names. */
function plainPath(path: string): string {
  const [root, ...names] = path.split("/");
  const plain = root === "" && names.length > 0 && names.every((name) => name !== "" && name !== "." && name !== "..");
  if (!plain || path.includes("\0")) {
    throw new PlatformError(`${JSON.stringify(path)} cannot be mounted on: it is not absolute and plain`);
  }
  return path;
}

/** As many links to nothing as one path may lead through, and as many races as may be lost. */
const rounds = 40;

/** The place of this path in the root, made when missing: all its folders, and at its end a folder or an empty file. */
function placeInside(root: Descriptor, path: string, kind: "folder" | "file"): Descriptor {
  let wanted = path;
  for (let round = 0; round < rounds; round++) {
    const found = openInRoot(root, wanted, "any");
    if (found !== undefined) return found;
    const names = wanted.split("/").filter((name) => name !== "");
    const { parent, depth } = deepestFolder(root, names);
    using _parent = parent;
    const made = makeBelow(root, parent, names.slice(depth), kind);
    if (made !== undefined) return made;
    // There is an entry that leads nowhere: a link, whose target is then made, or what somebody made in between.
    const link = readLink(parent, names[depth] ?? "");
    if (link === undefined) continue;
    const before = link.startsWith("/") ? [] : names.slice(0, depth);
    wanted = `/${[...before, link, ...names.slice(depth + 1)].join("/")}`;
  }
  throw new PlatformError(
    `${path} cannot be mounted on: its symbolic links lead nowhere, or it is changed all the time`,
  );
}

/** The longest part of the path, but for its last name, that is there. */
function deepestFolder(root: Descriptor, names: readonly string[]): { parent: Descriptor; depth: number } {
  for (let depth = names.length - 1; depth > 0; depth--) {
    const parent = openInRoot(root, `/${names.slice(0, depth).join("/")}`, "folder");
    if (parent !== undefined) return { parent, depth };
  }
  return { parent: openFolder(root.path), depth: 0 };
}

/** Makes the names one below the other; undefined when there was something with one of them. */
function makeBelow(
  root: Descriptor,
  parent: Descriptor,
  names: readonly string[],
  kind: "folder" | "file",
): Descriptor | undefined {
  // The owner of `/` is one whom the root's file system can store; with mapped ids the host's root is not.
  const { uid, gid } = fstatSync(root.number);
  return asOwner({ uid, gid }, () => {
    using held = new DisposableStack();
    let place = parent;
    for (const [index, name] of names.entries()) {
      if (name === "." || name === "..") throw new PlatformError(`${place.path}/${name} leads nowhere`);
      const isFile = kind === "file" && index === names.length - 1;
      if (!(isFile ? makeFile(place, name, 0o644) : makeFolder(place, name, 0o755))) return undefined;
      place = openEntry(place, name, isFile ? "any" : "folder");
      if (index < names.length - 1) held.use(place);
      chmodSync(place.procPath, isFile ? 0o644 : 0o755); // whatever the umask is
    }
    return place;
  });
}
