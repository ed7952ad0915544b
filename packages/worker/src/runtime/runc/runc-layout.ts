/** A container's files before it runs: what is laid into its root, and what of the host is shown to its processes. */
import { constants } from "node:fs";
import { access, lstat, mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { hasCode, PlatformError } from "@lydian/kit";

import type { ContainerPlace } from "../../container/folder.ts";
import type { Layout } from "../runtime.ts";
import type { HostPlace } from "./host-place.ts";
import type { SpecBind } from "./oci-spec.ts";
import { RootPaths } from "./root-path.ts";

/** The platform's own folder in every container. */
const own = "/run/lydian";

const system = ["/proc", "/dev", "/sys"];
/** Where something is mounted in every container: a file laid there could not be seen. */
const mounted = [...system, own];

export class RuncLayout implements Layout {
  readonly home = "/root";
  readonly environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" };
  readonly serverUrl: string;
  /** What config.json is to show, in this order. */
  readonly binds: SpecBind[] = [];
  readonly #host: HostPlace;
  readonly #paths: RootPaths;
  #isOpen = true;

  constructor(place: ContainerPlace, host: HostPlace, resolvConf: string) {
    this.#host = host;
    this.#paths = new RootPaths(host.root);
    this.serverUrl = `unix:${own}/door/${basename(place.doorFile)}`;
    this.#show(dirname(place.doorFile), `${own}/door`);
    this.#show(host.files, `${own}/files`);
    this.#show(resolvConf, "/etc/resolv.conf");
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
    if (mounted.some((folder) => `${containerPath}/`.startsWith(`${folder}/`))) {
      throw new PlatformError(`${containerPath} cannot be laid out: it is the system's in every container`, {
        hint: "mount it elsewhere, such as below /root",
      });
    }
    return this.#paths.hostPath(containerPath);
  }

  async addFile(name: string, bytes: Uint8Array): Promise<string> {
    // Root inside is nobody's superuser outside: it reads what all may read. The way here is barred to all others.
    await writeFile(join(this.#host.files, name), bytes, { mode: 0o644 });
    return `${own}/files/${name}`;
  }

  async addFolder(name: string, hostFolder: string): Promise<string> {
    this.binds.push({ source: hostFolder, path: `/${name}`, executable: true });
    return `/${name}`;
  }

  /** The base image has the one minor version that was asked for. */
  async python(): Promise<string> {
    return "/usr/local/bin/python";
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
    try {
      await access(this.#paths.realPath(program), constants.X_OK);
    } catch (error) {
      throw new PlatformError(`the image has no ${program} that can be run`, { cause: error });
    }
  }

  #show(source: string, path: string): void {
    this.binds.push({ source, path, executable: false });
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
