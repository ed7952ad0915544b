/** The server: opens its files, puts its parts over them (assemble.ts), and lets the world in through one port. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, statfs } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";

import { Bells, type Clock, type Logger, hasCode, idMaker, tryLock, writeDurably } from "@lydian/kit";

import { type Assembly, assemble, closeAll, startAll } from "./assemble.ts";
import type { ServerConfig } from "./config.ts";
import { BlobUploads } from "./content/blob-uploads.ts";
import { ContentStore } from "./content/content-store.ts";
import type { ContentPlace } from "./content/place.ts";
import { contentRoutes } from "./content/routes.ts";
import { removalLock } from "./content/removal-lock.ts";
import { Unneeded } from "./content/unneeded.ts";
import type { Hear } from "./domain/happening.ts";
import type { Store } from "./domain/store.ts";
import { endpointHost } from "./domain/web-address.ts";
import { pageRoutes } from "./identity/pages.ts";
import { ensureIdentity } from "./identity/first-start.ts";
import { createWeb } from "./ingress/http.ts";
import { identityOf } from "./ingress/identity.ts";
import { WebFunctions } from "./ingress/web-functions.ts";
import { type ListenAt, Port } from "./ingress/port.ts";
import { awsPassword } from "./images/aws-password.ts";
import { LogBook } from "./logs/log-book.ts";
import { Counts } from "./metrics/counts.ts";
import { hindranceOf } from "./metrics/hindrance.ts";
import { readings } from "./metrics/readings.ts";
import { metricsRoutes } from "./metrics/routes.ts";
import { createRpcServer } from "./rpc/adapter.ts";
import type { Platform } from "./rpc/platform.ts";
import { KeyRing } from "./secrets/key-ring.ts";
import { Vault } from "./secrets/vault.ts";
import { StatisticsBook } from "./statistics/book.ts";
import { openStore } from "./store/sqlite.ts";
import { type SpanSink, Tracer } from "./traces/tracer.ts";
import { volumeRoutes } from "./volumes/routes.ts";
import { volumeWorkerRoutes } from "./volumes/worker-routes.ts";
import { doorResolver } from "./workers/doors.ts";

export interface ServerOptions {
  config: ServerConfig;
  clock: Clock;
  log: Logger;
  listenAt: ListenAt;
  /** Where content lies. */
  place: ContentPlace;
  tls?: { certificate: string; key: string };
  /** Takes the spans of calls; absent: there are none. */
  spans?: SpanSink;
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
  const counts = new Counts();
  const hear: Hear = (happening) => {
    counts.hear(happening);
    statistics.hear(happening);
    tracer?.hear(happening);
    if (happening.kind === "volumeCommitted") assembly.platform.sessions.volumeChanged(happening);
  };
  const store: Store = openStore(join(config.data, "store.sqlite"), bells, undefined, hear);
  const statistics = new StatisticsBook({ store, clock, log });
  const tracer = options.spans && new Tracer({ store, sink: options.spans, log });
  await store.write((tx) => ensureIdentity(tx, config, { now: clock.now(), newId }));
  const unneeded = await Unneeded.load(store);
  const content = await ContentStore.open(join(config.data, "content"), { wishes: unneeded, place: options.place });
  const uploads = openUploads(config.data, { content, unneeded }, store, clock);
  const logBook = new LogBook({ folder: join(config.data, "logs"), store, bells });
  await logBook.start();
  const vault = new Vault(await KeyRing.load(join(config.data, "secrets-key"), config.secretsKey), store);
  const assembly = assemble({
    ...{ config, store, bells, clock, newId, log, serverKey, vault, content, unneeded, logBook, statistics, hear },
    askAws: awsPassword,
    cutConnections: (containerId) => port.cutDoors(containerId), // there is a port before there is any container
    sweepUploads: (before) => uploads.sweep(before),
    room: () => roomOf(config.data),
    lockRemovals: () => tryLock(removalLock(config.data)),
  });
  const port: Port = await openPort(options, assembly, { uploads, counts, hear, connections: () => port.connections });
  await startAll(assembly.actors);
  await port.listen(options.listenAt);
  assembly.platform.tunnels.listenHost = port.host;
  return {
    port,
    platform: assembly.platform,
    close: async () => {
      await closeAll(assembly.actors);
      await port.close(closeGraceMs);
      await tracer?.close();
      await store.close();
    },
  };
}

function openUploads(
  data: string,
  { content, unneeded }: { content: ContentStore; unneeded: Unneeded },
  store: Store,
  clock: Clock,
): BlobUploads {
  return new BlobUploads({
    store: content,
    folder: join(data, "uploads"),
    stored: ({ blobId, sha256, size }) =>
      store.write(async (tx) => {
        await tx.blobs.put({ id: blobId as `bl-${string}`, sha256, size, complete: true, createdAt: clock.now() });
        await unneeded.wantRow(tx, blobId);
      }),
  });
}

async function roomOf(folder: string): Promise<{ free: number; total: number }> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { free: bavail * bsize, total: blocks * bsize };
}

async function openPort(
  { config, clock, log, tls }: ServerOptions,
  { platform, addresses, workers, links, rpcs }: Assembly,
  {
    uploads,
    counts,
    hear,
    connections,
  }: { uploads: BlobUploads; counts: Counts; hear: Hear; connections: () => number },
): Promise<Port> {
  const { store, bells, content, newId, serverKey, tokens, sessions, drain, desks, straight, tunnels } = platform;
  const { web: calls, volumeChanges } = platform;
  const free = async (): Promise<number> => (await roomOf(config.data)).free;
  const disk = { data: config.data, room: () => roomOf(config.data) };
  const reading = { store, disk, workers: () => sessions.workers(), drain, connections };
  const authenticate = (id: string, secret: string): Promise<boolean> => tokens.authenticate(id, secret);
  const isWorker = (socket: Socket): boolean => identityOf(socket)?.kind === "worker";
  const web = await createWeb({
    logger: log,
    functions: new WebFunctions({ web: calls, addresses, desks, straight, tunnels, store, clock, config, log, hear }),
    routes: [
      contentRoutes({ store: content, links: links.blobs, uploads, isWorker }),
      volumeRoutes({ store: content, links: links.pieces }),
      metricsRoutes({
        families: async () => [...counts.families(), ...(await readings(reading))],
        hindrance: () => hindranceOf(platform),
        metricsToken: config.metricsToken,
        authenticate,
        isAtDoor: (socket) => identityOf(socket) !== undefined,
      }),
      pageRoutes({ store, clock, newId }),
      volumeWorkerRoutes({ store, bells, content, clock, volumeChanges, limits: config.limits, isWorker, free }),
    ],
  });
  const rpc = createRpcServer({
    rpcs,
    authenticate,
    openTask: (token) => platform.taskTokens.open(token),
    logger: log,
    observe: (name, ms, status) => {
      counts.rpc(name, ms, status);
      log.debug({ rpc: name, ms, status }, "rpc");
    },
  });
  const resolveDoor = doorResolver({ store, serverKey, workerSecret: config.workerSecret });
  const isWebHost = (name: string): boolean => endpointHost(name, config) !== undefined;
  const takeDialed = (secret: string, socket: Socket): boolean => workers.dials.take(secret, socket);
  return new Port({
    rpc,
    web: web.server,
    isWebHost,
    resolveDoor,
    takeDialed,
    logger: log,
    clock,
    ...(tls && { tls }),
  });
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
