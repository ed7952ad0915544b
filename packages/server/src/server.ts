/** Puts the server together: opens the store, wires the parts, starts and closes them in order. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";

import { ModalClient, operator, worker } from "@lydian/contract";
import { Bells, type Clock, type Logger, hasCode, idMaker, writeDurably } from "@lydian/kit";

import { Presence } from "./apps/presence.ts";
import { Alarms } from "./calls/alarms.ts";
import { Deliveries } from "./calls/deliveries.ts";
import { Reaper } from "./calls/reap.ts";
import { Timeouts } from "./calls/timeouts.ts";
import type { ServerConfig } from "./config.ts";
import { BlobLinks } from "./content/blob-links.ts";
import { BlobUploads } from "./content/blob-uploads.ts";
import { ContentStore } from "./content/content-store.ts";
import { contentRoutes } from "./content/routes.ts";
import type { Store } from "./domain/store.ts";
import { Tokens } from "./identity/tokens.ts";
import { ensureIdentity } from "./identity/first-start.ts";
import { createWeb } from "./ingress/http.ts";
import { identityOf } from "./ingress/identity.ts";
import { type ListenAt, Port } from "./ingress/port.ts";
import { awsPassword } from "./images/aws-password.ts";
import { Builds } from "./images/builds.ts";
import { ImageCollector } from "./images/collect.ts";
import { Interest } from "./images/interest.ts";
import { LogBook, type Tell } from "./logs/log-book.ts";
import { Heartbeats } from "./objects/heartbeats.ts";
import { type BoundRpc, type Rpcs, bind, createRpcServer } from "./rpc/adapter.ts";
import { appLookupRpcs } from "./rpc/app-lookups.ts";
import { appRpcs } from "./rpc/apps.ts";
import { callRpcs } from "./rpc/calls.ts";
import { containerRpcs } from "./rpc/containers.ts";
import { deploymentRpcs } from "./rpc/deployments.ts";
import { dictRpcs } from "./rpc/dicts.ts";
import { functionRpcs } from "./rpc/functions.ts";
import { identityRpcs } from "./rpc/identity.ts";
import { imageLogRpcs } from "./rpc/image-logs.ts";
import { imageNameRpcs } from "./rpc/image-names.ts";
import { imageRpcs } from "./rpc/images.ts";
import { lookupRpcs } from "./rpc/lookups.ts";
import { logsByTimeRpcs } from "./rpc/logs-by-time.ts";
import { logRpcs } from "./rpc/logs.ts";
import { blobRpcs, mountRpcs } from "./rpc/mounts.ts";
import { operatorRpcs } from "./rpc/operators.ts";
import type { Platform } from "./rpc/platform.ts";
import { queueRpcs } from "./rpc/queues.ts";
import { scalingRpcs } from "./rpc/scaling.ts";
import { secretRpcs } from "./rpc/secrets.ts";
import { taskRpcs } from "./rpc/tasks.ts";
import { volumeChangeRpcs } from "./rpc/volume-changes.ts";
import { volumeFileRpcs } from "./rpc/volume-files.ts";
import { volumeHistoryRpcs } from "./rpc/volume-history.ts";
import { volumeRpcs } from "./rpc/volumes.ts";
import { workerRpcs } from "./rpc/workers.ts";
import { Scheduler } from "./scheduler/loop.ts";
import { Timekeeper } from "./schedules/timekeeper.ts";
import { KeyRing } from "./secrets/key-ring.ts";
import { Vault } from "./secrets/vault.ts";
import { openStore } from "./store/sqlite.ts";
import { PieceLinks } from "./volumes/piece-links.ts";
import { volumeRoutes } from "./volumes/routes.ts";
import { volumeWorkerRoutes } from "./volumes/worker-routes.ts";
import { doorResolver } from "./workers/doors.ts";
import { WorkerSessions } from "./workers/sessions.ts";

export interface ServerOptions {
  config: ServerConfig;
  clock: Clock;
  log: Logger;
  listenAt: ListenAt;
  tls?: { certificate: string; key: string };
}

export interface RunningServer {
  readonly port: Port;
  readonly platform: Platform;
  /** Lets what runs end for a moment, then cuts it; what was accepted stays in the store. */
  close(): Promise<void>;
}

/** How long open requests may go on after the server was told to end. */
const closeGraceMs = 1_000;

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, clock, log } = options;
  const serverKey = await loadKey(join(config.data, "key"));
  const bells = new Bells();
  const newId = idMaker(() => clock.now());
  const store = openStore(join(config.data, "store.sqlite"), bells);
  await store.write((tx) => ensureIdentity(tx, config, { now: clock.now(), newId }));
  const content = await ContentStore.open(join(config.data, "content"));
  const uploads = openUploads(config.data, content, store, clock);
  const logBook = new LogBook({ folder: join(config.data, "logs"), store, bells });
  await logBook.start();
  const vault = new Vault(await KeyRing.load(join(config.data, "secrets-key"), config.secretsKey), store);
  const shared = { store, bells, clock, newId, log, times: config.times, serverKey, vault };
  const presence = new Presence(shared);
  const heartbeats = new Heartbeats(shared);
  const deliveries = new Deliveries();
  const cutDoors = (containerId: string): void => {
    deliveries.forget(containerId);
    port.cutDoors(containerId); // there is a port before there is any container
  };
  const sessions = new WorkerSessions({ ...shared, cutDoors });
  const timeouts = new Timeouts(shared);
  const alarms = new Alarms(shared);
  const interest = new Interest({ ...shared, stop: (build, reason) => sessions.stop(build, reason) });
  const tell: Tell = (to, text) => {
    logBook
      .say(to, clock.now(), text)
      .catch((error: unknown) => log.warn({ err: error, ...to }, "a notice is not in the log"));
  };
  const parts = { content, heartbeats, interest, logBook, presence, sessions, tell, timeouts };
  const platform: Platform = { ...shared, config, ...parts };
  const scheduler = new Scheduler({ ...shared, limits: config.limits, hands: sessions, tell });
  const timekeeper = new Timekeeper({ ...shared, limits: config.limits, tell });
  const builds = new Builds({
    ...shared,
    content,
    hands: sessions,
    askAws: awsPassword,
    tell: (imageId, text) => tell({ appId: imageId, functionId: "" }, text),
  });
  const collector = new ImageCollector({ ...shared, limits: config.limits, hands: sessions, logBook });
  const makeRoom = (workerId: string, bytes: number): void => collector.makeRoom(workerId, bytes);
  const reaper = new Reaper({ ...shared, sweepUploads: (before) => uploads.sweep(before) });
  const links = new BlobLinks(serverKey, () => clock.now());
  const pieceLinks = new PieceLinks(serverKey, () => clock.now());
  const rpcs = [
    ...bind(ModalClient, ...families(platform, deliveries, { links, pieceLinks }, collector)),
    ...bind(operator.Operators, operatorRpcs(platform, collector), volumeHistoryRpcs(platform)),
    ...bind(worker.Workers, workerRpcs({ ...shared, sessions, logBook, cutDoors, makeRoom })),
  ];
  const port = await openPort(options, platform, { links, pieceLinks, uploads }, rpcs);
  const acting = {
    presence,
    heartbeats,
    sessions,
    timeouts,
    alarms,
    interest,
    builds,
    scheduler,
    timekeeper,
    reaper,
    collector,
  };
  await startAll(acting);
  await port.listen(options.listenAt);
  return {
    port,
    platform,
    close: async () => {
      await closeAll(acting);
      await port.close(closeGraceMs);
      await store.close();
    },
  };
}

/** What acts by itself. */
interface Parts {
  presence: Presence;
  sessions: WorkerSessions;
  timeouts: Timeouts;
  heartbeats: Heartbeats;
  alarms: Alarms;
  interest: Interest;
  builds: Builds;
  scheduler: Scheduler;
  timekeeper: Timekeeper;
  reaper: Reaper;
  collector: ImageCollector;
}

async function startAll(parts: Parts): Promise<void> {
  await parts.presence.start();
  await parts.sessions.start();
  await parts.timeouts.start();
  await parts.heartbeats.start();
  parts.alarms.start();
  await parts.interest.start();
  parts.builds.start();
  parts.scheduler.start();
  parts.timekeeper.start();
  parts.reaper.start();
  parts.collector.start();
}

async function closeAll(parts: Parts): Promise<void> {
  parts.presence.close();
  parts.timeouts.close();
  parts.heartbeats.close();
  await parts.alarms.close();
  await parts.reaper.close();
  await parts.timekeeper.close();
  await parts.scheduler.close();
  await parts.builds.close();
  parts.interest.close();
  parts.sessions.close();
  await parts.collector.close();
}

function openUploads(data: string, content: ContentStore, store: Store, clock: Clock): BlobUploads {
  return new BlobUploads({
    store: content,
    folder: join(data, "uploads"),
    stored: ({ blobId, sha256, size }) =>
      store.write((tx) =>
        tx.blobs.put({ id: blobId as `bl-${string}`, sha256, size, complete: true, createdAt: clock.now() }),
      ),
  });
}

/** What answers the clients, by family. */
function families(
  platform: Platform,
  deliveries: Deliveries,
  { links, pieceLinks }: { links: BlobLinks; pieceLinks: PieceLinks },
  collector: ImageCollector,
): Rpcs<typeof ModalClient>[] {
  return [
    identityRpcs(platform),
    appRpcs(platform),
    appLookupRpcs(platform),
    deploymentRpcs(platform),
    logRpcs(platform),
    mountRpcs(platform),
    blobRpcs(platform, links),
    imageRpcs(platform, collector),
    imageNameRpcs(platform),
    imageLogRpcs(platform),
    logsByTimeRpcs(platform),
    functionRpcs(platform),
    lookupRpcs(platform),
    scalingRpcs(platform),
    secretRpcs(platform),
    dictRpcs(platform),
    queueRpcs(platform),
    callRpcs(platform),
    containerRpcs(platform, deliveries),
    taskRpcs(platform),
    volumeRpcs(platform),
    volumeFileRpcs(platform, pieceLinks),
    volumeChangeRpcs(platform, pieceLinks),
  ];
}

async function openPort(
  { config, clock, log, tls }: ServerOptions,
  { store, content, newId, serverKey }: Platform,
  { links, pieceLinks, uploads }: { links: BlobLinks; pieceLinks: PieceLinks; uploads: BlobUploads },
  rpcs: BoundRpc[],
): Promise<Port> {
  const isWorker = (socket: Socket): boolean => identityOf(socket)?.kind === "worker";
  const web = await createWeb({
    logger: log,
    routes: [
      contentRoutes({ store: content, links, uploads, isWorker }),
      volumeRoutes({ store: content, links: pieceLinks }),
      volumeWorkerRoutes({ store, content, clock, newId, limits: config.limits, isWorker }),
    ],
  });
  const tokens = new Tokens(store);
  const rpc = createRpcServer({
    rpcs,
    authenticate: (id, secret) => tokens.authenticate(id, secret),
    logger: log,
    observe: (name, ms, status) => log.debug({ rpc: name, ms, status }, "rpc"),
  });
  const resolveDoor = doorResolver({ store, serverKey, workerSecret: config.workerSecret });
  return new Port({ rpc, web: web.server, resolveDoor, logger: log, clock, ...(tls && { tls }) });
}

/** The key that signs links and derives door secrets: made once, readable by this process's user alone. */
async function loadKey(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  await mkdir(join(file, ".."), { recursive: true, mode: 0o700 });
  await writeDurably(file, randomBytes(32));
  return readFile(file);
}
