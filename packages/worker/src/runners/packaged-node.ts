/**
 * The Node that containers of TypeScript functions run on: that of the package which set-up installs for this kind of machine,
 * and the one library that it needs beyond the C library and that slim images lack. In a folder of the worker's cache, made once.
 */
import {
  access,
  chmod,
  constants,
  copyFile,
  cp,
  link,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  symlink,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

import { hasCode, PlatformError, removeBelow } from "@lydian/kit";

import { layerId } from "../images/layer-id.ts";
import type { Layer, LayerLease } from "../layers/index.ts";
import { SharedWork } from "../shared-work.ts";

const library = "libatomic.so.1";

/** What a client asks for as a mount, to copy what is below its /node to /usr/local of an image. */
export const nodeTools = "lydian-node";

export class PackagedNode {
  readonly #folder: string;
  readonly #making = new SharedWork<string>();

  constructor({ cache }: { cache: string }) {
    this.#folder = join(cache, "node");
  }

  /** A folder with `node` in it, and the library beside it. */
  async folder(): Promise<string> {
    return await this.#making.run("node", () => this.#make());
  }

  /** The layer whose /node has the same Node, and npm, for steps of builds. */
  async tools({ lease, signal }: { lease: Pick<LayerLease, "make">; signal: AbortSignal }): Promise<Layer> {
    const { program, version } = packaged();
    const npm = packageFolder("npm");
    const fill = async (diff: string): Promise<void> => {
      const [bin, lib] = [join(diff, "node", "bin"), join(diff, "node", "lib")];
      await mkdir(bin, { recursive: true });
      await mkdir(join(lib, "node_modules"), { recursive: true });
      await copyFile(program, join(bin, "node"), constants.COPYFILE_FICLONE);
      await chmod(join(bin, "node"), 0o755);
      const found = await loadedLibrary();
      if (found !== undefined) await copyFile(found, join(lib, library));
      await cp(npm.folder, join(lib, "node_modules", "npm"), { recursive: true, mode: constants.COPYFILE_FICLONE });
      for (const name of ["npm", "npx"]) await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(bin, name));
    };
    return await lease.make(layerId(`node-${version}`, ["node", version, npm.version, process.arch]), fill, signal);
  }

  async #make(): Promise<string> {
    const { program, version } = packaged();
    const whole = join(this.#folder, `1-${version}-${process.arch}`); // the first layout of these folders
    if (await exists(join(whole, "node"))) return whole;
    await mkdir(this.#folder, { recursive: true, mode: 0o755 });
    const work = await mkdtemp(join(this.#folder, ".tmp-"));
    try {
      const made = join(work, "made");
      await mkdir(made, { mode: 0o755 });
      await share(program, join(made, "node"));
      const found = await loadedLibrary();
      if (found !== undefined) await copyFile(found, join(made, library));
      await rename(made, whole);
    } catch (error) {
      if (!hasCode(error, "ENOTEMPTY", "EEXIST")) throw error; // another worker of this user has made it meanwhile
    } finally {
      await removeBelow(this.#folder, work);
    }
    return whole;
  }
}

function packaged(): { program: string; version: string } {
  const { folder, version } = packageFolder(`node-linux-${process.arch}`);
  return { program: join(folder, "bin", "node"), version };
}

function packageFolder(name: string): { folder: string; version: string } {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve(`${name}/package.json`);
    const { version } = require(manifest) as { version: string };
    return { folder: dirname(manifest), version };
  } catch (error) {
    throw new PlatformError(`this worker cannot run TypeScript: the package ${name} is not installed beside it`, {
      hint: `install it: npm install ${name}`,
      cause: error,
    });
  }
}

/** The one that this process itself, which is such a Node, has loaded; undefined where it needs none. */
async function loadedLibrary(): Promise<string | undefined> {
  const maps = await readFile("/proc/self/maps", "utf8");
  return maps
    .split("\n")
    .map((line) => line.slice(line.indexOf("/")))
    .find((path) => basename(path).startsWith(library));
}

/** Another name for the same file where that goes; else a copy. */
async function share(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    if (!hasCode(error, "EXDEV", "EPERM", "EMLINK")) throw error;
    await copyFile(source, target, constants.COPYFILE_FICLONE);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
}
