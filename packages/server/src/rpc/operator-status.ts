/** How the platform stands as a whole, and its rest before a host goes down. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { operator, supportedPythonClients } from "@lydian/contract";
import { sleep } from "@lydian/kit";

import { demandBell, idleBell, imagesBell } from "../domain/bells.ts";
import { type DiskDeps, diskUse } from "../metrics/disk.ts";
import { hindranceOf } from "../metrics/hindrance.ts";
import { type Overview, overview, takenOn } from "../metrics/overview.ts";
import { version } from "../version.ts";
import { type Rpcs, user } from "./adapter-access.ts";
import type { Platform } from "./platform.ts";

type Status = MessageInitShape<typeof operator.GetStatusResponseSchema>;

/** Whoever follows is told again after so long, though no bell rings: disks fill without one. In milliseconds. */
const quietMs = 5_000;

/** And not sooner than this, however much happens. */
const breathMs = 500;

export function operatorStatusRpcs(platform: Platform, room: DiskDeps["room"]): Rpcs<typeof operator.Operators> {
  const { drain } = platform;
  return {
    getStatus: user(({ follow }, { signal }) => statuses(platform, room, { follow, signal })),
    drain: user(({ withinMs }, { signal }) => drain.begin(Number(withinMs), signal)),
    endDrain: user(async () => {
      const drained = drain.isOn;
      drain.end();
      return { drained };
    }),
  };
}

async function* statuses(
  platform: Platform,
  room: DiskDeps["room"],
  { follow, signal }: { follow: boolean; signal: AbortSignal },
): AsyncGenerator<Status> {
  const { bells, clock } = platform;
  for (;;) {
    // Listens from before the look on, so that nothing that happens after it is missed.
    const ring = Promise.withResolvers<true>();
    const heard = bells.until([demandBell, idleBell, imagesBell], onSecondLook(), { clock, waitMs: quietMs, signal });
    heard.then(() => ring.resolve(true), ring.reject);
    ring.promise.catch(() => {}); // told below, or nobody listens any more
    yield await statusOf(platform, room);
    if (!follow) return;
    await sleep(clock, breathMs, signal);
    await ring.promise;
  }
}

/** Answers something when it is asked again: a bell has rung. */
function onSecondLook(): () => Promise<true | undefined> {
  let looks = 0;
  return async () => (++looks > 1 ? true : undefined);
}

async function statusOf(platform: Platform, room: DiskDeps["room"]): Promise<Status> {
  const { store, config, sessions } = platform;
  const { seen, workspace, nextDue } = await store.read(async (tx) => ({
    seen: await overview(tx),
    workspace: await tx.identity.workspace(),
    nextDue: await tx.schedules.nextDue(),
  }));
  const disk = await diskUse({ data: config.data, room });
  return {
    version,
    nodeVersion: process.versions.node,
    workspace: workspace?.name ?? "",
    serverStartedAtMs: BigInt(Math.round(performance.timeOrigin)),
    hindrance: (await hindranceOf(platform)) ?? "",
    storeBytes: BigInt(disk.store),
    diskFreeBytes: BigInt(disk.free),
    diskBytes: BigInt(disk.total),
    apps: seen.apps.map((app) => appStatus(app, seen)),
    workers: sessions.workers().map(({ id, capacity, images }) => {
      const taken = takenOn(id, seen.containers);
      return {
        workerId: id,
        ...capacity,
        ...{ milliCpuTaken: taken.milliCpu, memoryMibTaken: taken.memoryMib, containers: taken.containers },
        images: images.size,
      };
    }),
    containers: containerStatuses(seen),
    imagesWanted: seen.images.wanted,
    imagesBuilding: seen.images.building,
    nextScheduleAtMs: BigInt(nextDue ?? 0),
    clientVersions: [...supportedPythonClients],
  };
}

function appStatus(
  { id, name, environmentId, state, version: deployed, createdAt }: Overview["apps"][number],
  { functions, containers, environments }: Overview,
): MessageInitShape<typeof operator.AppStatusSchema> {
  const own = functions.filter(({ app }) => app.id === id);
  const sum = (what: "queued" | "claimed" | "delayed"): number => own.reduce((total, each) => total + each[what], 0);
  return {
    ...{ appId: id, name, environment: environments.get(environmentId) ?? "", state, version: deployed },
    ...{ queued: sum("queued"), running: sum("claimed"), delayed: sum("delayed") },
    containers: containers.filter(({ appId }) => appId === id).length,
    createdAtMs: BigInt(createdAt),
  };
}

function containerStatuses({ functions }: Overview): MessageInitShape<typeof operator.ContainerStatusSchema>[] {
  return functions.flatMap(({ name, containers }) =>
    containers.map(({ id, appId, workerId, state, held, createdAt }) => ({
      ...{ containerId: id, appId, functionName: name, workerId, state, held, createdAtMs: BigInt(createdAt) },
    })),
  );
}
