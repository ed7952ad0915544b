/** Which starter a container could begin as: pure. */
import type * as wire from "@lydian/contract/worker";

/** All that a starter has settled before it is taken. */
export type StarterKind = PythonKind | NodeKind;

export interface PythonKind {
  readonly runner: "python";
  readonly imageId: string;
  /** The minor version, such as "3.11". */
  readonly python: string;
  readonly clientVersion: string;
}

export interface NodeKind {
  readonly runner: "node";
  readonly imageId: string;
  /** The mount that has the runner. */
  readonly mount: wire.Mount;
}

/** The kernel refuses a limit below what a starter has already; so small a container is better off from the beginning. */
const leastMib = 128;

/** Undefined for a container that must be made for itself: what it asks for cannot be given to one that runs already. */
export function kindOf(spec: wire.ContainerSpec): StarterKind | undefined {
  const { memoryLimitMib = 0n, gpus } = spec.resources ?? {};
  const isSmall = memoryLimitMib > 0n && memoryLimitMib < leastMib;
  if (spec.network?.restricted === true || gpus !== undefined || isSmall) return undefined;
  const { imageId } = spec;
  switch (spec.runner?.kind.case) {
    case "python": {
      const { python, clientVersion } = spec.runner.kind.value;
      return { runner: "python", imageId, python, clientVersion };
    }
    case "node": {
      const [mount] = spec.mounts;
      return mount && { runner: "node", imageId, mount };
    }
    case undefined:
      return undefined;
  }
}

export function keyOf(kind: StarterKind): string {
  const what = kind.runner === "python" ? kind.clientVersion : kind.mount.manifestSha256;
  return `${what} on ${kind.imageId}`;
}
