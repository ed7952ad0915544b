/** Makes the runtime that the configuration names, with all that it stands on. */
import { join } from "node:path";

import type { Capacity } from "@lydian/contract/worker";
import { type Clock, idMaker, type Logger } from "@lydian/kit";

import type { BuildHost } from "../builds/build.ts";
import type { MountLayers } from "../container/mount-layers.ts";
import type { KnownImages } from "../builds/images.ts";
import type { ImageCollector } from "../collect/collector.ts";
import type { WorkerConfig } from "../config.ts";
import type { ContentCache } from "../content.ts";
import type { ClientPackages } from "../runners/client-packages.ts";
import type { PackagedNode } from "../runners/packaged-node.ts";
import type { Interpreters } from "../runners/interpreters.ts";
import { EnvironmentCollector } from "../environments/environment-collector.ts";
import { Environments } from "../environments/environments.ts";
import { packageSettings, usualPath } from "../images/index.ts";
import type { Buckets } from "../buckets/buckets.ts";
import type { Volumes } from "../volumes/volumes.ts";
import { imagesInUse, ProcessRuntime } from "./process/process-runtime.ts";
import type { Runtime } from "./runtime.ts";

export interface OpenRuntime {
  readonly runtime: Runtime;
  readonly images: KnownImages;
  readonly builds: BuildHost;
  readonly mountLayers?: MountLayers;
  readonly collector: ImageCollector;
  /** Absent: it can mount none. */
  readonly volumes?: Volumes;
  /** Absent: nor buckets. */
  readonly buckets?: Buckets;
  /** Once no container is left: takes away what the runtime itself has on this host. */
  close(): Promise<void>;
}

export interface RuntimeParts {
  readonly config: WorkerConfig;
  readonly workerId: string;
  readonly interpreters: Interpreters;
  readonly content: ContentCache;
  readonly clients: ClientPackages;
  readonly node: PackagedNode;
  /** What all containers together may have. */
  readonly capacity: Pick<Capacity, "milliCpu" | "memoryMib">;
  /** The worker's own door to the server. */
  readonly doorFile: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export async function openRuntime(parts: RuntimeParts): Promise<OpenRuntime> {
  const { config } = parts;
  switch (config.runtime.name) {
    case "process":
      return await openProcesses(parts);
    case "runc": {
      const { openRunc } = await import("./runc/open-runc.ts"); // loads what only containers need
      return openRunc(parts, config.runtime);
    }
  }
}

async function openProcesses({ config, interpreters, content, clock, logger }: RuntimeParts): Promise<OpenRuntime> {
  const { data, server } = config;
  const maker = await Environments.open({
    folder: join(data, "environments"),
    settings: async () => (await packageSettings()).environment,
    path: process.env["PATH"] ?? usualPath,
    ...{ content, interpreters, clock },
  });
  const newId = idMaker(() => clock.now());
  return {
    runtime: new ProcessRuntime({ data, interpreters }),
    images: maker,
    collector: new EnvironmentCollector({ environments: maker, content, inUse: () => imagesInUse(data) }),
    builds: { newId: () => newId("ta"), maker, ...{ data, server, clock, logger } },
    close: async () => {},
  };
}
