/** Takes over what a worker before left: adopts what runs, records what ended, removes the rest. */
import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { removeBelow } from "@lydian/kit";

import { Container, type ContainerHost } from "./container/container.ts";
import {
  buildsFolder,
  type ContainerPlace,
  containerPlace,
  containersFolder,
  doorsFolder,
  startersFolder,
  workerDoorFile,
} from "./container/folder.ts";
import type { Inheritance } from "./reopen.ts";

/** The containers that this worker now has. */
export async function recover(inheritance: Inheritance, host: ContainerHost): Promise<Container[]> {
  const known = inheritance.leases.map(({ lease }) => containerPlace(host.data, lease.containerId, lease.hostId));
  await host.runtime.clearOthers(known);
  const folder = containersFolder(host.data);
  for (const name of inheritance.remains) await removeBelow(folder, join(folder, name));
  await removeStarters(host.data, known);
  await rm(buildsFolder(host.data), { recursive: true, force: true });
  const adopted = await Promise.all(inheritance.leases.map(({ lease, door }) => Container.adopt(lease, door, host)));
  const containers = adopted.filter((container) => container !== undefined);
  if (adopted.length + inheritance.remains.length > 0) {
    const counts = {
      adopted: containers.length,
      removed: adopted.length - containers.length + inheritance.remains.length,
    };
    host.logger.info(counts, "took over containers");
  }
  return containers;
}

/** Nothing of theirs runs any more: what was not taken has ended. */
async function removeStarters(data: string, known: readonly ContainerPlace[]): Promise<void> {
  await rm(startersFolder(data), { recursive: true, force: true });
  const folder = doorsFolder(data);
  const doors = new Set(
    [workerDoorFile(data), ...known.map(({ doorFile }) => dirname(doorFile))].map((path) => basename(path)),
  );
  for (const name of await readdir(folder)) if (!doors.has(name)) await removeBelow(folder, join(folder, name));
}
