/**
 * Mount points for a build, in a layer of their own that lies on top of the image while it runs and is thrown away
 * afterwards: an empty file under the host's /etc/pip.conf would otherwise stay in what the build leaves.
 */
import { chmod, chown, lstat, mkdir, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Stats } from "node:fs";

import { hasCode, PlatformError } from "@lydian/kit";

/** As many as the kernel follows. */
const longestChain = 40;

export class MountPoints {
  readonly #folder: string;
  readonly #stack: readonly string[];

  /** `folder` is the layer to be; `stack` the image's layers below it, topmost first. */
  constructor(folder: string, stack: readonly string[]) {
    this.#folder = folder;
    this.#stack = stack;
  }

  /**
   * Makes a mount point for an absolute path of the image and answers where it is when the image's own symbolic links
   * are followed. Folders on the way look as they do in the image, or mounting would change their modes.
   */
  async make(path: string, kind: "file" | "folder"): Promise<string> {
    const place = await this.#resolve(path);
    if (place.length === 0) throw new PlatformError("nothing can be mounted on the root of an image");
    for (let depth = 1; depth < place.length; depth++) await this.#makeFolder(place.slice(0, depth));
    if (kind === "folder") await this.#makeFolder(place);
    else await this.#makeFile(place);
    return `/${place.join("/")}`;
  }

  /** As `make`, for what lies there on the host. */
  async makeLike(source: string, path: string): Promise<string> {
    return await this.make(path, (await stat(source)).isDirectory() ? "folder" : "file");
  }

  async #resolve(path: string): Promise<string[]> {
    let place: string[] = [];
    let links = 0;
    const rest = path.split("/");
    for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        place = place.slice(0, -1);
        continue;
      }
      const found = await this.#look([...place, name]);
      if (found?.stats.isSymbolicLink() !== true) {
        place.push(name);
        continue;
      }
      if (++links > longestChain) throw new PlatformError(`${path} of the image leads in a circle`);
      const target = await readlink(found.file);
      if (target.startsWith("/")) place = [];
      rest.unshift(...target.split("/"));
    }
    return place;
  }

  /** What the image shows under this name. A folder that hides those below it does not count here: it is rare enough. */
  async #look(place: readonly string[]): Promise<{ file: string; stats: Stats } | undefined> {
    for (const layer of this.#stack) {
      const file = join(layer, ...place);
      try {
        const stats = await lstat(file);
        const isWhiteout = stats.isCharacterDevice() && stats.rdev === 0;
        return isWhiteout ? undefined : { file, stats };
      } catch (error) {
        if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
      }
    }
    return undefined;
  }

  async #makeFolder(place: readonly string[]): Promise<void> {
    const shown = (await this.#look(place))?.stats;
    if (shown?.isDirectory() === false) throw new PlatformError(`/${place.join("/")} of the image is not a folder`);
    const folder = join(this.#folder, ...place);
    await mkdir(folder, { recursive: true });
    await chown(folder, shown?.uid ?? 0, shown?.gid ?? 0);
    await chmod(folder, (shown?.mode ?? 0o755) & 0o7777);
  }

  async #makeFile(place: readonly string[]): Promise<void> {
    const shown = (await this.#look(place))?.stats;
    if (shown?.isDirectory() === true) throw new PlatformError(`/${place.join("/")} of the image is a folder`);
    await writeFile(join(this.#folder, ...place), "", { mode: 0o644 });
  }
}
