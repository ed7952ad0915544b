/** Puts a server's parts together over what it stands on: what answers, and what acts by itself. */
import { call, exec, ModalClient, operator, TaskCommandRouter, worker } from "@lydian/contract";

import { Presence } from "./apps/presence.ts";
import { Alarms } from "./calls/alarms.ts";
import { Deliveries } from "./calls/deliveries.ts";
import { Reaper } from "./calls/reap.ts";
import { Timeouts } from "./calls/timeouts.ts";
import { BlobLinks } from "./content/blob-links.ts";
import { ContentCollector, type ContentCollectorDeps } from "./content/collect.ts";
import { TaskTokens } from "./identity/task-tokens.ts";
import { Tokens } from "./identity/tokens.ts";
import { type BuildHands, Builds, type BuildsDeps } from "./images/builds.ts";
import { ImageCollector } from "./images/collect.ts";
import { Interest } from "./images/interest.ts";
import type { Load } from "./domain/container.ts";
import type { Hear } from "./domain/happening.ts";
import { LineOwners } from "./logs/line-owners.ts";
import type { Tell } from "./logs/log-book.ts";
import { LogRetention } from "./logs/retention.ts";
import { Heartbeats } from "./objects/heartbeats.ts";
import { type BoundRpc, bind } from "./rpc/adapter.ts";
import { answeredCallRpcs } from "./rpc/answered-calls.ts";
import { givenBackRpcs } from "./rpc/given-back.ts";
import { clientRpcs } from "./rpc/client-rpcs.ts";
import { operatorStatusRpcs } from "./rpc/operator-status.ts";
import { operatorTokenRpcs } from "./rpc/operator-tokens.ts";
import { operatorRpcs } from "./rpc/operators.ts";
import type { Platform } from "./rpc/platform.ts";
import { ServerContainers } from "./rpc/server-containers.ts";
import { taskRouterRpcs } from "./rpc/task-router.ts";
import { volumeHistoryRpcs } from "./rpc/volume-history.ts";
import { execRpcs, workerRpcs } from "./rpc/workers.ts";
import { type Hands, Scheduler } from "./scheduler/loop.ts";
import { Timekeeper } from "./schedules/timekeeper.ts";
import { Sweeper } from "./sweeps/sweeper.ts";
import { PieceLinks } from "./volumes/piece-links.ts";
import { VolumeChanges } from "./volumes/volume-changes.ts";
import type { Addresses } from "./web/addresses.ts";
import { webParts } from "./web/parts.ts";
import { Drain } from "./workers/drain.ts";
import { Execs } from "./workers/execs.ts";
import type { StreamDeps } from "./workers/session-stream.ts";
import { Dials } from "./workers/dials.ts";
import { WorkerSessions } from "./workers/sessions.ts";

type Founded =
  | ("config" | "store" | "bells" | "clock" | "newId" | "log" | "serverKey")
  | ("vault" | "content" | "unneeded" | "logBook" | "statistics");

/** What is there before the parts: files that are open, keys, and the world outside. */
export interface Foundations extends Pick<Platform, Founded> {
  askAws: BuildsDeps["askAws"];
  /** Told what happens, as the store's committed units tell it. */
  hear: Hear;
  /** Ends every connection of a container that is gone. */
  cutConnections: (containerId: string) => void;
  /** Removes uploads that were given up before this time. */
  sweepUploads: (before: number) => Promise<void>;
  /** What the data folder's disk has. */
  room: ContentCollectorDeps["room"];
  lockRemovals: ContentCollectorDeps["lockRemovals"];
}

/** A part that acts by itself. */
export interface Actor {
  start(): void | Promise<void>;
  close?(): void | Promise<void>;
}

export interface Assembly {
  platform: Platform;
  rpcs: readonly BoundRpc[];
  /** What a worker's session is led with. */
  workers: StreamDeps;
  images: ImageCollector;
  addresses: Addresses;
  /** Sign the addresses that clients and workers load and store by. */
  links: { blobs: BlobLinks; pieces: PieceLinks };
  /** In the order in which they start; they close the other way round. */
  actors: readonly Actor[];
}

export function assemble({
  askAws,
  cutConnections,
  sweepUploads,
  room,
  lockRemovals,
  ...founded
}: Foundations): Assembly {
  const { config, clock, log, logBook, serverKey, statistics } = founded;
  const { limits, times } = config;
  const shared = { ...founded, times, limits, settings: config };
  const deliveries = new Deliveries();
  const lineOwners = new LineOwners();
  const cutDoors = (containerId: string): void => {
    deliveries.forget(containerId);
    cut(containerId);
    cutConnections(containerId);
  };
  const tell: Tell = (to, text) => {
    logBook
      .say(to, clock.now(), text)
      .catch((error: unknown) => log.warn({ err: error, ...to }, "a notice is not in the log"));
  };
  const presence = new Presence(shared);
  const heartbeats = new Heartbeats(shared);
  const sessions = new WorkerSessions({ ...shared, cutDoors });
  const dials = new Dials(shared, (workerId, message) => sessions.push(workerId, message));
  const timeouts = new Timeouts(shared);
  const interest = new Interest({ ...shared, stop: (build, reason) => sessions.stop(build, reason) });
  const hasOwnNetwork = (workerId: string): boolean => sessions.hasOwnNetwork(workerId);
  const { cut, addresses, webActors, ...web } = webParts({ ...shared, dials, hasOwnNetwork, timeouts, deliveries });
  const execs = new Execs({ line: (workerId) => sessions.openLine(workerId) });
  const taskTokens = new TaskTokens(serverKey, () => clock.now());
  const tokens = new Tokens(founded.store, clock);
  const loads = (): Load[] => [...web.straight.loads(), ...web.desks.loads()];
  const drain = new Drain({ ...shared, loads });
  const told = { drain, execs, heartbeats, interest, lineOwners, presence, sessions, tell, timeouts };
  const volumeChanges = new VolumeChanges(shared);
  const platform: Platform = { ...founded, ...told, ...web, tokens, taskTokens, volumeChanges };
  const servers = new ServerContainers(platform, deliveries);
  const alarms = new Alarms(shared);
  const sweeper = new Sweeper(shared);
  const scheduler = new Scheduler({ ...shared, hands: openHands(sessions, drain), loads, tell });
  const timekeeper = new Timekeeper({ ...shared, tell });
  const tellImage: BuildsDeps["tell"] = (imageId, text) => tell({ appId: imageId, functionId: "" }, text);
  const builds = new Builds({ ...shared, hands: openHands(sessions, drain), askAws, tell: tellImage });
  const reaper = new Reaper({ ...shared, sweepUploads });
  const images = new ImageCollector({ ...shared, hands: sessions });
  const retention = new LogRetention({ ...shared, lockRemovals });
  const contents = new ContentCollector({ ...shared, room, lockRemovals });
  const makeRoom = (workerId: string, bytes: number): void => {
    images.makeRoom(workerId, bytes);
    contents.makeRoom();
  };
  const links = {
    blobs: new BlobLinks(serverKey, () => clock.now()),
    pieces: new PieceLinks(serverKey, () => clock.now()),
  };
  const workers: StreamDeps = { ...shared, lineOwners, sessions, dials, cutDoors, makeRoom };
  const rpcs = [
    ...bind(ModalClient, ...clientRpcs(platform, { deliveries, servers, images, links })),
    ...bind(
      operator.Operators,
      operatorRpcs(platform, { images, contents }),
      operatorStatusRpcs(platform, room),
      operatorTokenRpcs(platform),
      volumeHistoryRpcs(platform),
    ),
    ...bind(call.Calls, answeredCallRpcs(platform), givenBackRpcs(platform, deliveries)),
    ...bind(worker.Workers, workerRpcs(workers)),
    ...bind(exec.Execs, execRpcs(sessions)),
    ...bind(TaskCommandRouter, taskRouterRpcs(platform)),
  ];
  const actors: Actor[] = [
    ...[statistics, presence, sessions, timeouts, heartbeats, alarms, sweeper, ...webActors, servers, interest],
    ...[builds, scheduler, timekeeper, reaper, images, contents, retention],
  ];
  return { platform, rpcs, workers, images, addresses, links, actors };
}

/** The workers for those who give them something to do: none while the platform rests. */
function openHands(sessions: WorkerSessions, drain: Drain): Hands & BuildHands {
  return {
    workers: () => drain.open(sessions.workers()),
    assign: (container) => sessions.assign(container),
    build: (image, build) => sessions.build(image, build),
    stop: (what, reason) => sessions.stop(what, reason),
  };
}

export async function startAll(actors: readonly Actor[]): Promise<void> {
  for (const actor of actors) await actor.start();
}

export async function closeAll(actors: readonly Actor[]): Promise<void> {
  for (const actor of actors.toReversed()) await actor.close?.();
}
