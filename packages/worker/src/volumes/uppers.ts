/** The uppers of one container's volume, by their numbers: where they lie, what they lie on, how they go. */
import { join } from "node:path";

import type { Layer } from "../layers/index.ts";
import { foldUppers } from "./fold-uppers.ts";
import type { LayerMaker } from "./layer-maker.ts";
import { lowersOf, type Mountable, stackBelow, upperFolder } from "./mounted-state.ts";
import { Upper, type UpperDeps } from "./upper.ts";

export interface UppersDeps extends UpperDeps {
  readonly maker: LayerMaker;
  /** Takes a folder out of sight and deletes it. */
  throwAway(folder: string): Promise<void>;
}

export class Uppers {
  readonly #deps: UppersDeps;
  readonly #volumeId: string;
  readonly #folder: string;

  constructor(deps: UppersDeps, { volumeId, folder }: { volumeId: string; folder: string }) {
    this.#deps = deps;
    this.#volumeId = volumeId;
    this.#folder = folder;
  }

  folderOf(upper: number): string {
    return upperFolder(this.#folder, upper);
  }

  of(mountable: Mountable, upper: number, isFixed: boolean): Upper {
    const stack = stackBelow(this.#folder, mountable, upper);
    return new Upper(this.#deps, { volumeId: this.#volumeId, folder: this.folderOf(upper), stack, isFixed });
  }

  lowersOf(mountable: Mountable): Layer[] {
    return lowersOf(this.#folder, mountable);
  }

  /** Makes one, under this number, of those that are sealed. */
  async fold(current: Mountable, upper: number): Promise<boolean> {
    await this.throwAway([upper]); // of a try before
    const uppers = current.mounted.sealed.toReversed().map((each) => ({
      upper: join(this.folderOf(each), "u"),
      stack: stackBelow(this.#folder, current, each),
    }));
    const base = { layers: current.tree.layers.map(({ diff }) => diff), uppers: 0 };
    const isMade = await foldUppers(this.#deps, { uppers, base, folder: join(this.folderOf(upper), "u") });
    if (!isMade) await this.throwAway([upper]);
    return isMade;
  }

  async throwAway(uppers: readonly number[]): Promise<void> {
    for (const upper of uppers) await this.#deps.throwAway(this.folderOf(upper));
  }
}
