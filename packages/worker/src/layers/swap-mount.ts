/**
 * Shows one mount in the place of another that nothing uses, in one go: whoever could use it stands still meanwhile. The
 * kernel says what is used: no list of processes' files would see all of it.
 */
import { hasCode } from "@lydian/kit/errors";

import { bindMount } from "./bind-mount.ts";
import { attach, cloneTree, detachMount, unmountUnused } from "./mount-calls.ts";
import { clonesOf, isMounted } from "./mount-table.ts";
import type { MountSwap } from "./mounter.ts";

/** Answers the number of a descriptor that keeps the old file system alive; undefined while it is used. */
export function swapMount({ old, below, next, points }: MountSwap): number | undefined {
  using held = new DisposableStack();
  // The end of a file system writes and forgets all that it has in memory: not now. And it is the way back.
  const kept = held.use(cloneTree(old));
  const clones: { point: string; tree: ReturnType<typeof cloneTree> }[] = [];
  try {
    for (const point of clonesOf(old, below)) {
      const tree = held.use(cloneTree(point));
      unmountUnused(point);
      clones.push({ point, tree });
    }
    unmountUnused(old);
    for (const point of points) bindMount({ ...point, source: next });
    return kept.leave();
  } catch (error) {
    for (const point of clonesOf(next, below)) detachMount(point);
    if (!isMounted(old)) attach(kept, old);
    for (const { point, tree } of clones) attach(tree, point);
    if (hasCode(error, "EBUSY")) return undefined;
    throw error;
  }
}
