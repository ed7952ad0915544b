/**
 * Where a path leads inside a root file system in which nothing runs yet: an image's symbolic links are followed as its
 * processes would follow them, and never lead out.
 *
 * The kernel's own resolution (openat2 with RESOLVE_IN_ROOT) is for roots in which somebody could change things meanwhile.
 */
import { lstatSync, readlinkSync } from "node:fs";
import { join } from "node:path";

import { hasCode, PlatformError } from "@lydian/kit";

/** As many as the kernel follows. */
const mostLinks = 40;

/** Finds places below one root; remembers the folders that it has looked at. */
export class RootPaths {
  readonly #root: string;
  /** The real folder of a folder's path in the container. */
  readonly #folders = new Map<string, readonly string[]>();

  constructor(root: string) {
    this.#root = root;
  }

  /** The last name itself is not followed: what is laid there takes a link's place. It need not exist, nor its folders. */
  hostPath(containerPath: string): string {
    const names = containerPath.split("/").filter((name) => name !== "");
    const last = names.pop();
    if (!containerPath.startsWith("/") || last === undefined || last === "." || last === "..") {
      throw new PlatformError(`${JSON.stringify(containerPath)} names no file`);
    }
    return join(this.#root, ...this.#folder(names), last);
  }

  /** As above, but a link that the last name is leads on. */
  realPath(containerPath: string): string {
    return join(this.#root, ...this.#folder(containerPath.split("/")));
  }

  #folder(names: readonly string[]): readonly string[] {
    const key = names.join("/");
    const known = this.#folders.get(key);
    if (known !== undefined) return known;
    const found = this.#resolve(names);
    this.#folders.set(key, found);
    return found;
  }

  #resolve(names: readonly string[]): readonly string[] {
    const ahead = names.toReversed();
    const real: string[] = [];
    let links = 0;
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        real.pop(); // above the root is the root
        continue;
      }
      const target = linkTarget(join(this.#root, ...real, name));
      if (target === undefined) {
        real.push(name);
        continue;
      }
      if (++links > mostLinks) throw new PlatformError(`/${names.join("/")} has too many symbolic links in the image`);
      if (target.startsWith("/")) real.length = 0;
      ahead.push(...target.split("/").toReversed());
    }
    return real;
  }
}

/** Undefined for what is no link, and for what is not there. */
function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
