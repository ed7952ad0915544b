/** Where things lie in the worker's data folder. */
import { createHash } from "node:crypto";
import { join } from "node:path";

import { PlatformError } from "@lydian/kit";

/** The places that belong to one container. */
export interface ContainerPlace {
  readonly id: string;
  /** What its processes, mounts, network and door on the host are called by: its id, or that of the starter that it was. */
  readonly hostId: string;
  /** All that the worker keeps about it. */
  readonly folder: string;
  /** Its log, in conmon's format. */
  readonly logFile: string;
  /** The unix socket on which its processes reach the server. */
  readonly doorFile: string;
}

export function containersFolder(data: string): string {
  return join(data, "containers");
}

/** Starters (starters/) have theirs apart: what is in it when a worker begins is nobody's. */
export function startersFolder(data: string): string {
  return join(data, "starters");
}

/** What is in it when a worker begins is nobody's. */
export function buildsFolder(data: string): string {
  return join(data, "builds");
}

/** Each door has a folder of its own, which can be shown to its container; their names are short, for their paths are limited to 107 bytes. */
export function doorsFolder(data: string): string {
  return join(data, "d");
}

/** The worker's own door to the server. */
export function workerDoorFile(data: string): string {
  return join(doorsFolder(data), "worker");
}

/** Refuses an id that could lead out of the folder. */
export function containerPlace(data: string, id: string, hostId = id): ContainerPlace {
  return place(data, containersFolder(data), id, hostId);
}

export function starterPlace(data: string, id: string): ContainerPlace {
  return place(data, startersFolder(data), id, id);
}

function place(data: string, parent: string, id: string, hostId: string): ContainerPlace {
  for (const name of [id, hostId]) {
    if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,79}$/.test(name)) {
      throw new PlatformError(`${JSON.stringify(name)} is no container id`);
    }
  }
  const folder = join(parent, id);
  return { id, hostId, folder, logFile: join(folder, "log"), doorFile: doorFile(data, hostId) };
}

/** The one file of a folder of its own. */
export function doorFile(data: string, hostId: string): string {
  const short = createHash("sha256").update(hostId).digest("hex").slice(0, 12);
  return join(doorsFolder(data), short, "s");
}
