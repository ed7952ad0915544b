/** Takes away what is left of a container below /run and in the control groups, in any half-made state. */
import { rmdir } from "node:fs/promises";
import { dirname } from "node:path";

import { type Clock, hasCode, namesIn, removeBelow } from "@lydian/kit";

import type { Cgroups } from "../../cgroups/cgroups.ts";
import type { Mounter } from "../../layers/index.ts";
import type { RuncPrograms } from "./conmon.ts";
import type { HostPlace, HostPlaces } from "./host-place.ts";
import { allSettledWell } from "./settled.ts";
import { endProcessesAt } from "./stragglers.ts";

export class Remains {
  readonly #places: HostPlaces;
  readonly #programs: readonly string[];
  readonly #mounter: Mounter;
  readonly #cgroups: Cgroups;
  readonly #clock: Clock;

  constructor(options: {
    places: HostPlaces;
    programs: RuncPrograms;
    mounter: Mounter;
    cgroups: Cgroups;
    clock: Clock;
  }) {
    this.#places = options.places;
    this.#programs = Object.values(options.programs);
    this.#mounter = options.mounter;
    this.#cgroups = options.cgroups;
    this.#clock = options.clock;
  }

  /** The containers of which there is anything, by id: runc's own list lacks those that it never finished. */
  async list(): Promise<string[]> {
    const folders = await namesIn(this.#places.containers);
    const groups = await this.#cgroups.children(this.#places.cgroup);
    return [...new Set([...folders, ...groups])];
  }

  /**
   * Ends every process of the container; twice does no harm. `isOver`: its conmon has ended by itself, so nobody is at work
   * on it.
   */
  async end(place: HostPlace, { isOver }: { isOver: boolean }): Promise<void> {
    if (!isOver) await endProcessesAt(place.folder, this.#programs, this.#clock);
    await this.#cgroups.kill(place.cgroup);
  }

  /**
   * Removes control group, mounts and folders of one whose processes have ended; twice does no harm. The steps of `runc
   * delete` are among these, and it refuses most of what a crash leaves, so it is not asked.
   */
  async remove(place: HostPlace): Promise<void> {
    await allSettledWell([this.#cgroups.remove(place.cgroup), this.#removeFolder(place)]);
  }

  async #removeFolder(place: HostPlace): Promise<void> {
    await this.#mounter.unmountBelow(place.folder);
    await removeEmpty(place.root); // while it is mounted it has the container's files: then this fails, and none is deleted
    await removeBelow(this.#places.containers, place.folder);
  }

  /** The parents of all that, where they are empty: the host is as it was before. */
  async removeParents(): Promise<void> {
    for (const path of [this.#places.cgroup, dirname(this.#places.cgroup)]) await this.#cgroups.removeIfEmpty(path);
    for (const folder of this.#places.parents) {
      try {
        await removeEmpty(folder);
      } catch (error) {
        if (!hasCode(error, "ENOTEMPTY", "EEXIST")) throw error; // another's, or of another platform
        return;
      }
    }
  }
}

async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}
