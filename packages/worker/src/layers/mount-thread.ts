/**
 * The thread that mounts. It makes nothing but synchronous calls, for while its file system ids are a container's, no
 * thread may be born of it (mount-calls.ts, `asOwner`). Of the kit it loads the errors alone: a worker waits for it.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";

import { bindMount } from "./bind-mount.ts";
import { cloneTree, FileSystemContext, keepCapabilities } from "./mount-calls.ts";
import {
  describeFailure,
  type FromThread,
  type MountRequest,
  type ThreadOptions,
  type ToThread,
} from "./mount-requests.ts";
import { detachAll } from "./mount-table.ts";
import { type LayersBy, mountRoot } from "./root-mount.ts";
import { showTree } from "./show-tree.ts";
import { swapMount } from "./swap-mount.ts";
import { SystemCallError } from "./system-call.ts";

if (parentPort === null) throw new Error("mount-thread.ts is started by the mounter");
const port = parentPort;

function tell(message: FromThread): void {
  port.postMessage(message);
}

/** Asks the kernel itself, whatever its version: makes an overlay of two detached trees and drops it. */
function howLayersAreTold(): LayersBy {
  const folder = mkdtempSync(join(tmpdir(), "lydian-mounts-"));
  try {
    const names = ["a", "b"].map((name) => join(folder, name));
    for (const name of names) mkdirSync(name);
    using held = new DisposableStack();
    using context = new FileSystemContext("overlay");
    for (const name of names) context.setDescriptor("lowerdir+", held.use(cloneTree(name)));
    held.use(context.create(folder, 0));
    return "descriptors";
  } catch (error) {
    if (error instanceof SystemCallError) return "names";
    throw error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function perform(request: MountRequest, layersBy: LayersBy): number | undefined | void {
  switch (request.kind) {
    case "mountRoot":
      return mountRoot(request.mount, layersBy);
    case "bind":
      return bindMount(request.mount);
    case "show":
      return showTree(request.tree);
    case "swap":
      return swapMount(request.swap);
    case "detach":
      return detachAll(request.folder, request.itself);
  }
}

try {
  keepCapabilities();
  const layersBy = (workerData as ThreadOptions).layersBy ?? howLayersAreTold();
  port.on("message", ({ id, request }: ToThread) => {
    try {
      const value = perform(request, layersBy) ?? undefined;
      tell({ kind: "done", id, value });
    } catch (error) {
      tell({ kind: "failed", id, failure: describeFailure(error) });
    }
  });
  tell({ kind: "ready", layersBy });
} catch (error) {
  tell({ kind: "failed", id: undefined, failure: describeFailure(error) });
}
