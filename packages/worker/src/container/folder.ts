/** Where things lie in the worker's data folder. */
import { createHash } from "node:crypto";
import { join } from "node:path";

import { PlatformError } from "@lydian/kit";

/** The places that belong to one container. */
export interface ContainerPlace {
  readonly id: string;
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

/** Each door has a folder of its own, which can be shown to its container; their names are short, for their paths are limited to 107 bytes. */
export function doorsFolder(data: string): string {
  return join(data, "d");
}

/** The worker's own door to the server. */
export function workerDoorFile(data: string): string {
  return join(doorsFolder(data), "worker");
}

/** Refuses an id that could lead out of the folder. */
export function containerPlace(data: string, id: string): ContainerPlace {
  if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,79}$/.test(id)) throw new PlatformError(`${JSON.stringify(id)} is no container id`);
  const folder = join(containersFolder(data), id);
  const short = createHash("sha256").update(id).digest("hex").slice(0, 12);
  return { id, folder, logFile: join(folder, "log"), doorFile: join(doorsFolder(data), short, "s") };
}
