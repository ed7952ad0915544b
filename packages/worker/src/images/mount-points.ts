/**
 * Mount points for a build, in a layer of their own that lies on top of the image while it runs and is thrown away
 * afterwards: an empty file under the host's /etc/pip.conf would otherwise stay in what the build leaves.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, readlinkSync, statSync, type Stats, writeFileSync } from "node:fs";
import { join } from "node:path";

import { hasCode, PlatformError } from "@lydian/kit";

/** As many as the kernel follows. */
const longestChain = 40;

type Looked = { readonly file: string; readonly stats: Stats } | undefined;

/** By synchronous calls: a deep stack takes thousands of them, each of microseconds, and of 100 when another thread makes it. */
export class MountPoints {
  readonly #folder: string;
  readonly #stack: readonly string[];
  /** What was found under a path: most of them share their folders. */
  readonly #looks = new Map<string, Looked>();

  /** `folder` is the layer to be; `stack` the image's layers below it, topmost first. */
  constructor(folder: string, stack: readonly string[]) {
    this.#folder = folder;
    this.#stack = stack;
  }

  /**
   * Makes a mount point for an absolute path of the image and answers where it is when the image's own symbolic links
   * are followed. Folders on the way look as they do in the image, or mounting would change their modes.
   */
  make(path: string, kind: "file" | "folder"): string {
    const place = this.#resolve(path);
    if (place.length === 0) throw new PlatformError("nothing can be mounted on the root of an image");
    for (let depth = 1; depth < place.length; depth++) this.#makeFolder(place.slice(0, depth));
    if (kind === "folder") this.#makeFolder(place);
    else this.#makeFile(place);
    return `/${place.join("/")}`;
  }

  /** As `make`, for what lies there on the host. */
  makeLike(source: string, path: string): string {
    return this.make(path, statSync(source).isDirectory() ? "folder" : "file");
  }

  #resolve(path: string): string[] {
    let place: string[] = [];
    let links = 0;
    const rest = path.split("/");
    for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        place = place.slice(0, -1);
        continue;
      }
      const found = this.#look([...place, name]);
      if (found?.stats.isSymbolicLink() !== true) {
        place.push(name);
        continue;
      }
      if (++links > longestChain) throw new PlatformError(`${path} of the image leads in a circle`);
      const target = readlinkSync(found.file);
      if (target.startsWith("/")) place = [];
      rest.unshift(...target.split("/"));
    }
    return place;
  }

  /** What the image shows under this name. A folder that hides those below it does not count here: it is rare enough. */
  #look(place: readonly string[]): Looked {
    const path = place.join("/");
    if (!this.#looks.has(path)) this.#looks.set(path, this.#lookAt(path));
    return this.#looks.get(path);
  }

  #lookAt(path: string): Looked {
    for (const layer of this.#stack) {
      const file = join(layer, path);
      const stats = lstatIfThere(file);
      if (stats === undefined) continue;
      const isWhiteout = stats.isCharacterDevice() && stats.rdev === 0;
      return isWhiteout ? undefined : { file, stats };
    }
    return undefined;
  }

  #makeFolder(place: readonly string[]): void {
    const shown = this.#look(place)?.stats;
    if (shown?.isDirectory() === false) throw new PlatformError(`/${place.join("/")} of the image is not a folder`);
    const folder = join(this.#folder, ...place);
    mkdirSync(folder, { recursive: true });
    chownSync(folder, shown?.uid ?? 0, shown?.gid ?? 0);
    chmodSync(folder, (shown?.mode ?? 0o755) & 0o7777);
  }

  #makeFile(place: readonly string[]): void {
    const shown = this.#look(place)?.stats;
    if (shown?.isDirectory() === true) throw new PlatformError(`/${place.join("/")} of the image is a folder`);
    writeFileSync(join(this.#folder, ...place), "", { mode: 0o644 });
  }
}

function lstatIfThere(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (hasCode(error, "ENOTDIR")) return undefined; // a folder on the way is something else
    throw error;
  }
}
