/** What the mounter and its thread say to each other. */
import { messageOf, PlatformError } from "@lydian/kit/errors";

import type { BindMount, MountSwap, RootMount, TreeMount } from "./mounter.ts";
import type { LayersBy } from "./root-mount.ts";
import { SystemCallError } from "./system-call.ts";

export type MountRequest =
  | { kind: "mountRoot"; mount: RootMount }
  | { kind: "bind"; mount: BindMount }
  | { kind: "show"; tree: TreeMount }
  | { kind: "swap"; swap: MountSwap }
  | { kind: "detach"; folder: string; itself: boolean };

export interface ThreadOptions {
  /** Undefined: as the kernel can. */
  readonly layersBy: LayersBy | undefined;
}

export type FromThread =
  | { kind: "ready"; layersBy: LayersBy }
  | { kind: "done"; id: number; value: number | undefined }
  | { kind: "failed"; id: number | undefined; failure: Failure };

export interface ToThread {
  readonly id: number;
  readonly request: MountRequest;
}

/** An error as it crosses between threads, which would take its class and fields away. */
export type Failure =
  | { kind: "call"; call: SystemCallError["call"]; path: string; code: string }
  | { kind: "refused"; message: string; hint: string | undefined }
  | { kind: "fault"; message: string; stack: string | undefined };

export function describeFailure(thrown: unknown): Failure {
  if (thrown instanceof SystemCallError)
    return { kind: "call", call: thrown.call, path: thrown.path, code: thrown.code };
  if (thrown instanceof PlatformError) return { kind: "refused", message: thrown.message, hint: thrown.hint };
  return { kind: "fault", message: messageOf(thrown), stack: thrown instanceof Error ? thrown.stack : undefined };
}

export function errorOf(failure: Failure): Error {
  switch (failure.kind) {
    case "call":
      return new SystemCallError(failure.call, failure.path, failure.code);
    case "refused":
      return new PlatformError(failure.message, failure.hint === undefined ? {} : { hint: failure.hint });
    case "fault": {
      const error = new Error(failure.message);
      if (failure.stack !== undefined) error.stack = failure.stack;
      return error;
    }
  }
}
