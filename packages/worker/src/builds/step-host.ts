/** What steps of builds need of the worker. */
import type { Clock } from "@lydian/kit";

import type { ContentCache } from "../content.ts";
import type { BaseImages, PackageSettings } from "../images/index.ts";
import type { Door } from "../container/doors.ts";
import type { Workshop } from "../container/prepare.ts";
import type { Layer, LayerStore, Mounter } from "../layers/index.ts";
import type { ClientPackages } from "../runners/client-packages.ts";
import type { PackagedNode } from "../runners/packaged-node.ts";
import type { Resources, Runtime } from "../runtime/runtime.ts";
import type { Volumes } from "../volumes/volumes.ts";

export interface StepHost {
  readonly runtime: Runtime;
  readonly layers: LayerStore;
  readonly mounter: Mounter;
  readonly bases: Pick<BaseImages, "resolve" | "standalonePython">;
  readonly content: Pick<ContentCache, "file">;
  readonly settings: () => Promise<PackageSettings>;
  readonly clients: Pick<ClientPackages, "find">;
  readonly node: Pick<PackagedNode, "tools">;
  readonly capacity: Workshop["capacity"];
  /** Absent: no step can mount one. */
  readonly volumes?: Pick<Volumes, "prepare" | "finish"> | undefined;
  /** The name of a base image with a Python, for what a build does by itself in a container. */
  readonly pythonImage: () => Promise<string>;
  /** What a step may have. */
  readonly resources: Resources;
  readonly clock: Clock;
}

export type StepDoor = Pick<Door, "file" | "admit"> & AsyncDisposable;

/** Whom a step is done for. */
export interface StepCustomer {
  /** What its processes are called by on this host; changes with each. */
  readonly newId: () => string;
  /** The worker's folder for this build. */
  readonly folder: string;
  /** Where the output of programs goes, in the form of containers' logs. */
  readonly logFile: string;
  readonly say: (line: string) => void;
  /** A way to the server for one of its containers. */
  readonly openDoor: () => Promise<StepDoor>;
  /** Is told what the volumes go by that a step is about to mount. */
  readonly mounts: (volumesId: string) => void;
  readonly signal: AbortSignal;
}

/** A stack that a step stands on, topmost first. */
export type Stack = readonly Layer[];

/**
 * An image has no more layers than this. Overlayfs takes 500, but where a kernel must be told them by name, some 200 fit
 * into its one page of options, and an image is to run wherever it is made. More are refused and not folded into one: a
 * layer that is made of others would have to be copied, and would be shared with no other image.
 */
export const mostLayers = 128;
