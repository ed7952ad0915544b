/**
 * Where a container's things lie on the host, beside its folder in the worker's data: all below one folder of its own, so
 * that looking for what is left and removing it need no list. Below /run, since nothing in it outlives the host.
 */
import { chmod, chown, mkdir } from "node:fs/promises";
import { join } from "node:path";

import { PlatformError } from "@lydian/kit";

export interface HostPlace {
  readonly id: string;
  /** Has all the others in it. */
  readonly folder: string;
  /** config.json, and what conmon keeps. */
  readonly bundle: string;
  /** Where its root file system is mounted. */
  readonly root: string;
  /** runc's state folder, for this container alone. */
  readonly state: string;
  /** conmon's folders for the exit code and for what it notes. */
  readonly exits: string;
  readonly notes: string;
  /** Files that the platform shows to its processes. */
  readonly files: string;
  /** Its control group. */
  readonly cgroup: string;
}

export class HostPlaces {
  /** Has a folder for each container. */
  readonly containers: string;
  /** That folder and those above it that are made when they are missing, innermost first. */
  readonly parents: readonly string[];
  /** The parent of all its containers' control groups. */
  readonly cgroup: string;

  /** `instance` is the platform's short id, which no other platform on this host has. */
  constructor(instance: string, run = "/run/lydian") {
    if (!/^[a-z0-9]{1,16}$/.test(instance)) throw new PlatformError(`${JSON.stringify(instance)} is no instance's id`);
    this.containers = join(run, instance, "c");
    this.parents = [this.containers, join(run, instance), run];
    this.cgroup = `/lydian/${instance}`;
  }

  /** `id` is a name without slashes; container/folder.ts has checked it. */
  of(id: string): HostPlace {
    const folder = join(this.containers, id);
    return {
      id,
      folder,
      bundle: join(folder, "bundle"),
      root: join(folder, "root"),
      state: join(folder, "runc"),
      exits: join(folder, "exit"),
      notes: join(folder, "notes"),
      files: join(folder, "files"),
      cgroup: `${this.cgroup}/${id}`,
    };
  }

  /**
   * Makes the folders. Root inside, which is `base` outside, must get through to its root file system, and nobody else on
   * the host: it has the group of that number.
   */
  async make(id: string, base: number): Promise<HostPlace> {
    const place = this.of(id);
    for (const folder of this.parents.toReversed()) await makeFolder(folder, 0o711);
    await makeFolder(place.folder, 0o710);
    await chown(place.folder, 0, base);
    const inner = [place.bundle, place.state, place.exits, place.notes];
    await Promise.all([
      ...inner.map((folder) => makeFolder(folder, 0o700)),
      makeFolder(place.root, 0o755),
      makeFolder(place.files, 0o755),
    ]);
    return place;
  }
}

/** With this mode whatever the umask is, and whoever made it before. */
async function makeFolder(folder: string, mode: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  await chmod(folder, mode);
}
