/** What is read when somebody asks: from the store, of the disk, of this process. */
import { performance } from "node:perf_hooks";

import type { Container } from "../domain/container.ts";
import type { Store } from "../domain/store.ts";
import type { WorkerView } from "../domain/worker.ts";
import { type DiskDeps, diskUse } from "./disk.ts";
import type { Family, Labels, Sample } from "./exposition.ts";
import { type Overview, overview, takenOn } from "./overview.ts";

export interface ReadingDeps {
  store: Store;
  disk: DiskDeps;
  workers: () => readonly WorkerView[];
  drain: { readonly isOn: boolean };
  /** Of the port. */
  connections: () => number;
}

export async function readings(deps: ReadingDeps): Promise<Family[]> {
  const seen = await deps.store.read(overview);
  const disk = await diskUse(deps.disk);
  return [
    ...ofFunctions(seen),
    gauge("lydian_apps", "Apps that have not stopped.", counted(seen.apps.map(({ state }) => ({ state })))),
    gauge(
      "lydian_images_under_way",
      "Images that wait to be built, and that are being built.",
      Object.entries(seen.images).map(([state, value]) => ({ labels: { state }, value })),
    ),
    ...ofWorkers(deps.workers(), seen.containers),
    gauge("lydian_store_bytes", "What the database takes.", [{ value: disk.store }]),
    gauge("lydian_data_disk_free_bytes", "What is free on the data folder's disk.", [{ value: disk.free }]),
    gauge("lydian_data_disk_bytes", "The size of that disk.", [{ value: disk.total }]),
    gauge("lydian_resting", "1 while no container begins (lydian drain).", [{ value: Number(deps.drain.isOn) }]),
    gauge("lydian_connections", "Open connections of the port.", [{ value: deps.connections() }]),
    ...ofProcess(),
  ];
}

/** Apps may have the same name, and functions of theirs too: what has the same labels is one sample. */
function ofFunctions({ functions }: Overview): Family[] {
  const labelsOf = ({ environment, app, name }: Overview["functions"][number]): Labels => ({
    ...{ environment, app: app.name, function: name },
  });
  const inputs = functions.flatMap((of) =>
    (["queued", "claimed", "delayed"] as const).map((state) => ({
      labels: { ...labelsOf(of), state },
      value: of[state],
    })),
  );
  const containers = functions.flatMap((of) =>
    of.containers.map(({ state }) => ({ labels: { ...labelsOf(of), state }, value: 1 })),
  );
  return [
    gauge("lydian_inputs", "Inputs without an output, of functions that have some or have containers.", merged(inputs)),
    gauge("lydian_containers", "Containers that are not gone.", merged(containers)),
  ];
}

function ofWorkers(workers: readonly WorkerView[], containers: readonly Container[]): Family[] {
  const each = (value: (worker: WorkerView) => number): Sample[] =>
    workers.map((worker) => ({ labels: { worker: worker.id }, value: value(worker) }));
  const mebibyte = 1_048_576;
  return [
    gauge("lydian_workers", "Workers that are connected.", [{ value: workers.length }]),
    gauge(
      "lydian_worker_cores",
      "Processors that a worker has.",
      each(({ capacity }) => capacity.milliCpu / 1000),
    ),
    gauge(
      "lydian_worker_memory_bytes",
      "Memory that a worker has.",
      each(({ capacity }) => capacity.memoryMib * mebibyte),
    ),
    gauge(
      "lydian_worker_cores_taken",
      "What its containers have asked for.",
      each(({ id }) => takenOn(id, containers).milliCpu / 1000),
    ),
    gauge(
      "lydian_worker_memory_taken_bytes",
      "What its containers have asked for.",
      each(({ id }) => takenOn(id, containers).memoryMib * mebibyte),
    ),
  ];
}

/** By the names that tools know. */
function ofProcess(): Family[] {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const counter = (name: string, help: string, value: number): Family => ({
    ...{ name, help, type: "counter", samples: [{ value }] },
  });
  return [
    counter("process_cpu_seconds_total", "Processor time of the server.", (user + system) / 1e6),
    gauge("process_resident_memory_bytes", "Memory of the server.", [{ value: rss }]),
    gauge("nodejs_heap_size_used_bytes", "Its heap.", [{ value: heapUsed }]),
    gauge("process_start_time_seconds", "When it began.", [{ value: performance.timeOrigin / 1000 }]),
    counter(
      "lydian_event_loop_busy_seconds_total",
      "How long its event loop did not wait.",
      performance.eventLoopUtilization().active / 1000,
    ),
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, type: "gauge", samples };
}

function counted(all: readonly Labels[]): Sample[] {
  return merged(all.map((labels) => ({ labels, value: 1 })));
}

function merged(samples: readonly { labels: Labels; value: number }[]): Sample[] {
  const sums = new Map<string, { labels: Labels; value: number }>();
  for (const { labels, value } of samples) {
    const key = JSON.stringify(Object.values(labels));
    sums.set(key, { labels, value: (sums.get(key)?.value ?? 0) + value });
  }
  return [...sums.values()];
}
