/**
 * The first thing that a worker does: open the doors of the containers that the worker before left running. Their keepers have
 * kept them; of one that is gone a client in the container gives up after 0.71 s, so this file imports nothing that is slow to load.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { namesIn, PlatformError } from "@lydian/kit";

import { DoorSocket } from "./container/door-socket.ts";
import { Door, type ServerAddress } from "./container/doors.ts";
import { containerPlace, containersFolder, doorsFolder } from "./container/folder.ts";
import { type Lease, readLease } from "./container/lease.ts";

/** What lies in the containers' folder. */
export interface Inheritance {
  /** By container; the door is open unless the container is known to be gone. */
  leases: { lease: Lease; door?: Door }[];
  /** Folders without a finished lease: nothing ever ran in them, or what ran is nobody's. */
  remains: string[];
}

export async function reopenDoors(data: string, server: ServerAddress): Promise<Inheritance> {
  await mkdir(doorsFolder(data), { recursive: true, mode: 0o700 });
  const inheritance: Inheritance = { leases: [], remains: [] };
  const ids = await namesIn(containersFolder(data));
  await Promise.all(
    ids.map(async (id) => {
      const lease = await readLease(join(containersFolder(data), id));
      if (lease?.containerId !== id) {
        inheritance.remains.push(id);
      } else if (lease.exit === undefined) {
        const { doorFile, folder } = containerPlace(data, id, lease.hostId);
        const socket = (await DoorSocket.take(doorFile, folder)) ?? (await DoorSocket.bind(doorFile));
        inheritance.leases.push({ lease, door: new Door(socket, lease.doorSecret, server) });
      } else {
        inheritance.leases.push({ lease });
      }
    }),
  );
  return inheritance;
}

/** The part of the configuration that the doors need, before the schema is loaded that checks it all. */
export function whereabouts(configuration: unknown): { data: string; cache: string; server: ServerAddress } {
  const { data, cache, server } = configuration as { data?: unknown; cache?: unknown; server?: Partial<ServerAddress> };
  if (
    typeof data !== "string" ||
    typeof cache !== "string" ||
    typeof server?.host !== "string" ||
    typeof server.port !== "number"
  ) {
    throw new PlatformError("the worker's configuration names no data folder, no cache or no server");
  }
  const { host, port, takesConnections } = server;
  return { data, cache, server: { host, port, takesConnections: takesConnections === true } };
}
