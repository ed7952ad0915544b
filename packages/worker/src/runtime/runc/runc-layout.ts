/** A container's files before it runs: what is laid into its root, and what of the host is shown to its processes. */
import { constants } from "node:fs";
import { access, lstat, mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { hasCode, PlatformError } from "@lydian/kit";

import type { ContainerSettings } from "../../images/index.ts";
import type { ContainerPlace } from "../../container/folder.ts";
import type { BuildRoot, Layout, RootImage } from "../runtime.ts";
import { stageFolder } from "./held.ts";
import type { HostPlace } from "./host-place.ts";
import type { SpecBind } from "./oci-spec.ts";
import { RootPaths } from "./root-path.ts";

/** The platform's own folder in every container. */
const own = "/run/lydian";
/** What is mounted there besides the first process's program, where it sees the platform. */
export const ownFolders = { door: `${own}/door`, files: `${own}/files` };

const system = ["/proc", "/dev", "/sys"];
/** Where something is mounted in every container: a file laid there could not be seen. */
const mounted = [...system, own];

export class RuncLayout implements Layout {
  readonly home = "/root";
  readonly environment: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly workdir: string;
  readonly serverUrl: string;
  /** What config.json is to show, in this order. */
  readonly binds: SpecBind[] = [];
  readonly #host: HostPlace;
  readonly #paths: RootPaths;
  readonly #place: ContainerPlace;
  readonly #showFiles: () => Promise<void>;
  #isOpen = true;

  constructor(
    place: ContainerPlace,
    host: HostPlace,
    parts: {
      image: RootImage;
      build: BuildRoot | undefined;
      inherited: ContainerSettings | undefined;
      resolvConf: string;
      showFiles: () => Promise<void>;
    },
  ) {
    const { env, entrypoint = [], workdir } = parts.image.config;
    this.#host = host;
    this.#paths = new RootPaths(host.root);
    this.#place = place;
    this.#showFiles = parts.showFiles;
    const inherited = parts.build === undefined ? parts.inherited : undefined;
    this.environment = { LANG: "C.UTF-8", ...inherited?.environment, ...env };
    this.entrypoint = entrypoint;
    this.workdir = workdir === "/" ? this.home : workdir;
    this.serverUrl = `unix:${ownFolders.door}/${basename(place.doorFile)}`;
    if (parts.build?.hasDoor ?? true) {
      this.#show(dirname(place.doorFile), ownFolders.door);
      this.#show(host.files, ownFolders.files);
    }
    for (const { source, path } of parts.build?.binds ?? inherited?.binds ?? [])
      this.binds.push({ source, path, executable: true });
    this.#show(parts.resolvConf, "/etc/resolv.conf");
  }

  /** The files in /etc that say who the container is. */
  async nameHost(hostname: string): Promise<void> {
    const etc = join(this.#host.bundle, "etc");
    await mkdir(etc, { recursive: true });
    const hosts = `127.0.0.1\tlocalhost ${hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n`;
    await writeFile(join(etc, "hosts"), hosts, { mode: 0o644 });
    await writeFile(join(etc, "hostname"), `${hostname}\n`, { mode: 0o644 });
    for (const name of ["hosts", "hostname"]) this.#show(join(etc, name), `/etc/${name}`);
  }

  hostPath(containerPath: string): string {
    if (!this.#isOpen) throw new Error(`${containerPath} comes after the start of the container`);
    return stagedPath(this.#place, containerPath);
  }

  async showFiles(): Promise<void> {
    await this.#showFiles();
  }

  async addFile(name: string, bytes: Uint8Array): Promise<string> {
    // Root inside is nobody's superuser outside: it reads what all may read. The way here is barred to all others.
    await writeFile(join(this.#host.files, name), bytes, { mode: 0o644 });
    return `${ownFolders.files}/${name}`;
  }

  async addFolder(name: string, hostFolder: string): Promise<string> {
    this.binds.push({ source: hostFolder, path: `/${name}`, executable: true });
    return `/${name}`;
  }

  /** The first of its names on the image's PATH. */
  async python(minor: string): Promise<string> {
    for (const name of ["python", "python3", `python${minor}`]) {
      const found = await this.program(name);
      if (found !== undefined) return found;
    }
    throw new PlatformError(`the image has no Python ${minor}`, {
      hint: 'give it one: from_registry(…, add_python="3.12"), or an image of python:3.12',
    });
  }

  /** Where the image has a program, by its PATH; absolute. */
  async program(name: string): Promise<string | undefined> {
    if (name.startsWith("/")) return name;
    for (const folder of (this.environment["PATH"] ?? "").split(":").filter((each) => each.startsWith("/"))) {
      const path = join(folder, name);
      if (await isProgram(this.#paths.realPath(path))) return path;
    }
    return undefined;
  }

  /**
   * From here on nothing can be laid out. Refuses a program that is not there, for the container's init could only end; and
   * an image that has a link where the system belongs: runc 1.1 follows one at /dev while it is still in the host's root,
   * and writes there.
   */
  async close(program: string): Promise<void> {
    this.#isOpen = false;
    for (const path of system) {
      if (await isLink(join(this.#host.root, path))) {
        throw new PlatformError(`the image has a symbolic link at ${path}, where the system's own files belong`, {
          hint: "build the image with a folder there, or with nothing",
        });
      }
    }
    const found = await this.program(program);
    if (found === undefined || !(await isProgram(this.#shownPath(found) ?? this.#paths.realPath(found)))) {
      throw new PlatformError(`the image has no ${program} that can be run`);
    }
  }

  /** Where on the host a file lies that is shown in the container with its folder. */
  #shownPath(path: string): string | undefined {
    const bind = this.binds.find(({ path: folder, executable }) => executable && dirname(path) === folder);
    return bind && join(bind.source, basename(path));
  }

  #show(source: string, path: string): void {
    this.binds.push({ source, path, executable: false });
  }
}

/** Where a file lies that is to be shown at this path. */
export function stagedPath(place: Pick<ContainerPlace, "folder">, containerPath: string): string {
  refuseSystemPath(containerPath);
  return join(stageFolder(place), containerPath);
}

/** Throws for a path where no file can be laid that a container is to see. */
export function refuseSystemPath(containerPath: string): void {
  if (!mounted.some((folder) => `${containerPath}/`.startsWith(`${folder}/`))) return;
  throw new PlatformError(`${containerPath} cannot be laid out: it is the system's in every container`, {
    hint: "mount it elsewhere, such as below /root",
  });
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES")) return false;
    throw error;
  }
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}
