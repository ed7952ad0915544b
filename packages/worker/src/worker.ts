/** Puts the worker together from its configuration; the only place that knows all its parts. */
import { createLogger, systemClock } from "@lydian/kit";

import { Agent } from "./agent.ts";
import { hostCapacity, workerId } from "./capacity.ts";
import type { WorkerConfig } from "./config.ts";
import { Door } from "./container/doors.ts";
import { workerDoorFile } from "./container/folder.ts";
import { ContentCache } from "./content.ts";
import { recover } from "./recover.ts";
import type { Inheritance } from "./reopen.ts";
import { ClientPackages } from "./runners/client-packages.ts";
import { PackagedNode } from "./runners/packaged-node.ts";
import { Interpreters } from "./runners/interpreters.ts";
import { openRuntime } from "./runtime/open-runtime.ts";
import { openStarters } from "./starters/open-starters.ts";

/** What a container gets to end by itself when the whole worker is told to. */
const closingGraceMs = 2000;

export interface Worker {
  /** Stops all containers, reports, ends the session. */
  close(): Promise<void>;
}

export async function startWorker(
  config: WorkerConfig,
  inheritance: Inheritance,
  options: { doorsMs: number; onReady: () => void },
): Promise<Worker> {
  const clock = systemClock;
  const { data, cache, server } = config;
  const logger = createLogger("worker", config.logLevel);
  logger.info({ containers: inheritance.leases.length, afterMs: options.doorsMs }, "doors are open");
  const doorFile = workerDoorFile(data);
  const door = await Door.open(doorFile, config.workerSecret, server);
  const content = new ContentCache({ data, doorFile, clock });
  await content.start();
  const interpreters = new Interpreters();
  const node = new PackagedNode({ cache });
  const clients = new ClientPackages({ cache, interpreters, clock, logger });
  const id = await workerId(data, () => clock.now());
  const capacity = await hostCapacity();
  const opened = await openRuntime({
    config,
    workerId: id,
    interpreters,
    content,
    clients,
    node,
    capacity,
    doorFile,
    clock,
    logger,
  });
  const { runtime, images, builds, mountLayers, collector, volumes, buckets } = opened;
  const starters = openStarters(config, { runtime, images, capacity, data, clients, node, content, clock, logger });
  const agent = new Agent({
    workerId: id,
    capacity,
    labels: config.labels,
    doorFile,
    builds,
    collector,
    host: {
      data,
      capacity,
      server,
      clock,
      logger,
      runtime,
      images,
      mountLayers,
      content,
      clients,
      node,
      starters,
      volumes,
      buckets,
    },
    onReady: options.onReady,
  });
  collector.accompany?.({
    starters: () => starters?.hostIds() ?? new Set(),
    dropStarters: async (imageIds) => await starters?.leave(imageIds),
    askServer: (bytes) => agent.wantRoom(bytes),
  });
  agent.start(await recover(inheritance, agent.host));
  return {
    async close() {
      volumes?.hurry();
      await Promise.all([agent.close(closingGraceMs), starters?.close()]);
      clients.close();
      await opened.close();
      content.close();
      await door.close();
    },
  };
}
