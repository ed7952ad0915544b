/** Takes over what a worker before left: adopts what runs, records what ended, removes the rest. */
import { join } from "node:path";

import { removeBelow } from "@lydian/kit";

import { Container, type ContainerHost } from "./container/container.ts";
import { containersFolder } from "./container/folder.ts";
import type { Inheritance } from "./reopen.ts";

/** The containers that this worker now has. */
export async function recover(inheritance: Inheritance, host: ContainerHost): Promise<Container[]> {
  const known = new Set(inheritance.leases.map(({ lease }) => lease.containerId));
  await host.runtime.clearOthers(known);
  const folder = containersFolder(host.data);
  for (const name of inheritance.remains) await removeBelow(folder, join(folder, name));
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
