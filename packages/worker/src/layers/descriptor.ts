/**
 * Descriptors of files, folders and detached mounts: opened, resolved and made without following anybody's links. Names in a folder
 * are given by their texts (kit/file-names.ts).
 */
import { constants, fstatSync } from "node:fs";

import { hasCode } from "@lydian/kit/errors";
import { nameOnDisk } from "@lydian/kit/file-names";

import { SystemCallError, systemCall } from "./system-call.ts";

const close = systemCall("close", ["long"]);
const openat = systemCall("openat", ["long", "str", "long", "long"]);
const openat2 = systemCall("openat2", ["long", "str", "void *", "long"]);
const mkdirat = systemCall("mkdirat", ["long", "str", "long"]);
const mknodat = systemCall("mknodat", ["long", "str", "long", "long"]);
const readlinkat = systemCall("readlinkat", ["long", "str", "void *", "long"]);

export const atWorkingFolder = -100; // AT_FDCWD
export const closeOnExec = 0o2000000; // O_CLOEXEC
const pathOnly = 0o10000000; // O_PATH
const directory = constants.O_DIRECTORY; // differs by architecture, as O_NOFOLLOW does
const resolve = { noMagicLinks: 2, noSymlinks: 4, beneath: 8, inRoot: 16 } as const;
const regularFile = 0o100000; // S_IFREG
const characterDevice = 0o020000; // S_IFCHR

/** An open descriptor; disposing it closes it. */
export class Descriptor implements Disposable {
  readonly number: number;
  /** What was opened, for messages. */
  readonly path: string;
  #open = true;

  constructor(number: number, path: string) {
    this.number = number;
    this.path = path;
  }

  /** A name by which other system calls take it as a path; also good for a mount that is attached nowhere else. */
  get procPath(): string {
    return `/proc/self/fd/${this.number}`;
  }

  /** Its number, for another owner, who closes it. */
  leave(): number {
    this.#open = false;
    return this.number;
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    close(this.path, this.number);
  }
}

/** Opens a trusted path for reading. */
export function openFile(path: string): Descriptor {
  return new Descriptor(openat(path, atWorkingFolder, path, constants.O_RDONLY | closeOnExec, 0), path);
}

/** Opens a trusted path as a place, not for reading. */
export function openFolder(path: string): Descriptor {
  return new Descriptor(openat(path, atWorkingFolder, path, pathOnly | directory | closeOnExec, 0), path);
}

/** Opens an entry of a folder as a place; a symbolic link is not followed but refused (ELOOP). */
export function openEntry(parent: Descriptor, name: string, kind: "any" | "folder"): Descriptor {
  return openWith(parent, name, kind, resolve.beneath | resolve.noSymlinks);
}

/** Opens a path as processes with this root see it: links and `..` never lead out. Undefined when it is not there. */
export function openInRoot(root: Descriptor, path: string, kind: "any" | "folder"): Descriptor | undefined {
  try {
    return openWith(root, path, kind, resolve.inRoot | resolve.noMagicLinks);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** The kernel gives up (EAGAIN) when somebody renames while it resolves; nobody can do that for ever. */
const resolutions = 100;

function openWith(parent: Descriptor, name: string, kind: "any" | "folder", how: number): Descriptor {
  const flags = pathOnly | closeOnExec | (kind === "folder" ? directory : 0);
  const openHow = new BigUint64Array([BigInt(flags), 0n, BigInt(how)]);
  const path = name.startsWith("/") ? parent.path + name : `${parent.path}/${name}`;
  for (let tries = 1; ; tries++) {
    try {
      return new Descriptor(openat2(path, parent.number, nameOnDisk(name), openHow, openHow.byteLength), path);
    } catch (error) {
      if (tries === resolutions || !hasCode(error, "EAGAIN")) throw error;
    }
  }
}

export function isFolder(descriptor: Descriptor): boolean {
  return fstatSync(descriptor.number).isDirectory();
}

/** Whether it is made now; false when something with this name was there. */
export function makeFolder(parent: Descriptor, name: string, mode: number): boolean {
  return unlessThere(() => mkdirat(`${parent.path}/${name}`, parent.number, nameOnDisk(name), mode));
}

/** An empty file. Whether it is made now; false when something with this name was there. */
export function makeFile(parent: Descriptor, name: string, mode: number): boolean {
  return unlessThere(() => mknodat(`${parent.path}/${name}`, parent.number, nameOnDisk(name), regularFile | mode, 0));
}

/** The character device 0:0, which in a layer says that a name of the layers below is gone. */
export function makeWhiteoutEntry(parent: Descriptor, name: string): void {
  mknodat(`${parent.path}/${name}`, parent.number, nameOnDisk(name), characterDevice, 0);
}

function unlessThere(make: () => void): boolean {
  try {
    make();
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

/** Where a symbolic link points; undefined when the entry is none or is gone. */
export function readLink(parent: Descriptor, name: string): string | undefined {
  const text = Buffer.alloc(4096); // PATH_MAX
  try {
    const length = readlinkat(`${parent.path}/${name}`, parent.number, nameOnDisk(name), text, text.length);
    return text.toString("utf8", 0, length);
  } catch (error) {
    if (error instanceof SystemCallError && hasCode(error, "EINVAL", "ENOENT")) return undefined;
    throw error;
  }
}
