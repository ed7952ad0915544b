/**
 * Puts another mount in the place of one that nothing uses, in one go: whoever could use it stands still meanwhile. The
 * kernel says what is used: no list of processes' files would see all of it.
 */
import { hasCode } from "@lydian/kit/errors";

import { bindMount } from "./bind-mount.ts";
import { attach, cloneTree, detachMount, makeReadOnly, makeWritable, unmountUnused } from "./mount-calls.ts";
import { clonesOf, isMounted } from "./mount-table.ts";
import type { MountSwap } from "./mounter.ts";
import { type LayersBy, mountRoot } from "./root-mount.ts";

/** Whether it was done, and what is left of the old mount then, or of the try: it takes its time to end. */
export interface Swapped {
  readonly value: boolean;
  readonly rest: Disposable;
}

export function swapMount(swap: MountSwap, layersBy: LayersBy): Swapped {
  const { old, below, mount, points } = swap;
  using held = new DisposableStack();
  // Keeps the file system alive, whose end would write and forget all that it has in memory; and is the way back.
  const kept = held.use(cloneTree(old));
  const clones: { point: string; tree: ReturnType<typeof cloneTree> }[] = [];
  try {
    for (const point of clonesOf(old, below)) {
      const tree = held.use(cloneTree(point));
      unmountUnused(point);
      clones.push({ point, tree });
    }
    unmountUnused(old);
    makeReadOnly(kept); // a mount namespace of the container's own may have a copy that no umount sees
  } catch (error) {
    restore();
    if (!hasCode(error, "EBUSY")) throw error;
    return { value: false, rest: held.move() };
  }
  try {
    mountRoot(mount, layersBy);
    for (const point of points) bindMount({ ...point, source: mount.target });
    return { value: true, rest: held.move() };
  } catch (error) {
    for (const point of [...clonesOf(mount.target, below), mount.target]) if (isMounted(point)) detachMount(point);
    makeWritable(kept);
    restore();
    throw error;
  }

  function restore(): void {
    if (!isMounted(old)) attach(kept, old);
    for (const { point, tree } of clones) attach(tree, point);
  }
}
