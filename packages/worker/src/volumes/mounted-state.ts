/** What a container can have mounted of a volume: a state, uppers that are sealed, and one that it writes to. */
import { join } from "node:path";

import { PlatformError } from "@lydian/kit";

import type { Layer } from "../layers/index.ts";
import type { Stack } from "./stack.ts";
import type { KnownState, MountedState, VolumeRecord } from "./volume-record.ts";
import type { Tree, VolumeTrees } from "./volume-trees.ts";

/** With the layers of the state that it lies on. */
export interface Mountable {
  readonly mounted: MountedState;
  readonly tree: Tree;
}

/** States of a volume that are held for a container. */
export interface HeldTrees {
  readonly mounted: Tree;
  /** Shows what the sealed uppers on the mounted one show. */
  readonly same?: Tree;
  /** Of what was mounted before, when nobody knows which of the two is. */
  readonly before?: Tree | undefined;
}

export const knownOf = ({ number, layers }: Tree): KnownState => ({ number, layers: layers.map(({ id }) => id) });

/** An empty upper on a state. */
export function on(tree: Tree, upper: number): MountedState {
  return { upper, state: knownOf(tree), sealed: [], isOwed: false };
}

/** Of an upper, below the one of its container's volume. */
export const upperFolder = (folder: string, upper: number): string => join(folder, String(upper));

const filesOf = (folder: string, upper: number): string => join(upperFolder(folder, upper), "u");

/** What the upper lies on, topmost first. */
export function lowersOf(folder: string, { mounted, tree }: Mountable): Layer[] {
  return [...mounted.sealed.map((each) => ({ id: `upper ${each}`, diff: filesOf(folder, each) })), ...tree.layers];
}

/** What one of its uppers lies on. */
export function stackBelow(folder: string, { mounted, tree }: Mountable, upper: number): Stack {
  const below = mounted.sealed.filter((each) => each < upper);
  const layers = [...below.map((each) => filesOf(folder, each)), ...tree.layers.map(({ diff }) => diff)];
  return { layers, uppers: below.length };
}

/** Those of a record by a worker before; throws a PlatformError where what is mounted is gone. */
export async function treesAgain(trees: VolumeTrees, record: VolumeRecord): Promise<HeldTrees> {
  const { volumeId, mounted, before } = record;
  const again = ({ number, layers }: KnownState): Promise<Tree | undefined> => trees.again(volumeId, number, layers);
  const tree = await again(mounted.state);
  if (tree === undefined) throw new PlatformError(`the layers of volume ${volumeId} are gone`);
  const same = mounted.same && (await again(mounted.same));
  const old = before && (await again(before.state));
  return { mounted: tree, ...(same && { same }), ...(old && { before: old }) };
}
