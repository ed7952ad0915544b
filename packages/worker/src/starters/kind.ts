/** Which starter a container could begin as: pure. */
import type * as wire from "@lydian/contract/worker";

/** All that a starter has settled before it is taken. */
export interface StarterKind {
  readonly imageId: string;
  /** The minor version, such as "3.11". */
  readonly python: string;
  readonly clientVersion: string;
}

/** The kernel refuses a limit below what a starter has already; so small a container is better off from the beginning. */
const leastMib = 128;

/** Undefined for a container that must be made for itself: what it asks for cannot be given to one that runs already. */
export function kindOf(spec: wire.ContainerSpec): StarterKind | undefined {
  if (spec.runner?.kind.case !== "python") return undefined;
  const { memoryLimitMib = 0n, gpus } = spec.resources ?? {};
  const isSmall = memoryLimitMib > 0n && memoryLimitMib < leastMib;
  if (spec.network?.restricted === true || gpus !== undefined || isSmall) return undefined;
  const { python, clientVersion } = spec.runner.kind.value;
  return { imageId: spec.imageId, python, clientVersion };
}

export const keyOf = ({ imageId, clientVersion }: StarterKind): string => `${clientVersion} on ${imageId}`;
