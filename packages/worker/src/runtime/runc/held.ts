/** What this worker holds of a container that it has. */
import type net from "node:net";
import { join } from "node:path";

import type { ProcessEnd } from "../../container/exit.ts";
import type { ContainerPlace } from "../../container/folder.ts";
import type { Layer } from "../../layers/index.ts";
import type { NetworkSlot } from "../../network/network-pool.ts";
import type { DoorHandler, Resources } from "../runtime.ts";
import type { RuncLayout } from "./runc-layout.ts";

export interface Held {
  place: ContainerPlace;
  resources: Resources;
  /** Joins connections of its loopback listener to the server. */
  door: DoorHandler;
  isSpare: boolean;
  /** The image's, topmost first. */
  readonly layers: readonly Layer[];
  /** Where its upper is. */
  work: string;
  slot?: NetworkSlot;
  listener?: net.Server;
  layout?: RuncLayout;
  watch?: { close(): void };
  diskWatch?: Disposable | undefined;
  /** Begins to watch what it holds of the disk. */
  guard?: () => Disposable;
  /** Why the worker ended it. */
  verdict?: ProcessEnd;
  /** conmon has ended by itself: nobody is at work on the container any more. */
  isOver?: boolean;
}

/** Where a container's upper is: on the data disk, thrown away with it. */
export function workFolder(place: Pick<ContainerPlace, "folder">): string {
  return join(place.folder, "root");
}

/** Where the files of its mounts are, as they are shown in its root; they go with the container's folder. */
export function stageFolder(place: Pick<ContainerPlace, "folder">): string {
  return join(place.folder, "stage");
}
