/** The server's process: configuration from the supervisor, then the server until it is told to end. */
import { readFile } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import { join } from "node:path";

import {
  countBuffersAsHeap,
  createLogger,
  lockWithin,
  type Logger,
  messageOf,
  onHanded,
  PlatformError,
  readConfiguration,
  systemClock,
  tellSupervisor,
} from "@lydian/kit";

import { serverConfigSchema } from "./config.ts";
import { hashing } from "./content/hashing.ts";
import { settlePlace } from "./content/placement.ts";
import { createWeb } from "./ingress/http.ts";
import { startServer } from "./server.ts";
import type { SpanSink } from "./traces/tracer.ts";
import { version } from "./version.ts";

/** How long the server that held the folder before may take to end. */
const lockWaitMs = 10_000;

async function main(): Promise<void> {
  countBuffersAsHeap();
  const config = serverConfigSchema.parse(await readConfiguration(() => process.exit(0)));
  const log = createLogger("server", config.logLevel);
  const tls = config.tls && {
    certificate: await readFile(config.tls.certificateFile, "utf8"),
    key: await readFile(config.tls.keyFile, "utf8"),
  };
  await loadLazyCode(log);
  const place = await settlePlace(config.data, config.content, config.contentKey);
  const spans = await openSpans(config.traces, log);
  dropPrivileges(config.runAs);
  using _lock = await lockWithin(systemClock, join(config.data, "lock"), lockWaitMs);
  const listenAt = { fd: config.listenFd };
  const server = await startServer({
    config,
    clock: systemClock,
    log,
    listenAt,
    place,
    ...(tls && { tls }),
    ...(spans && { spans }),
  });
  onHanded((secret, socket) => server.port.takeHanded(secret, socket));
  tellSupervisor({ event: "ready" });
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    process.once("SIGTERM", resolve).once("SIGINT", resolve);
  });
  log.debug({ signal }, "the server ends");
  await server.close();
}

/** Fastify loads some of itself when it is first used; afterwards this process may have no right to read it. */
async function loadLazyCode(logger: Logger): Promise<void> {
  const isLoaded = hashing.load();
  await (await createWeb({ logger, routes: [] })).close();
  await isLoaded;
}

/** Its library takes memory and time, so it is loaded only where it is wanted. */
async function openSpans(url: string | undefined, log: Logger): Promise<SpanSink | undefined> {
  if (url === undefined) return undefined;
  const { openExporter } = await import("./traces/exporter.ts");
  return openExporter(url, version, log);
}

/** All code is loaded by now, so the process needs to read nothing but its own folder from here on. */
function dropPrivileges(runAs: { uid: number; gid: number } | undefined): void {
  if (runAs === undefined || process.setuid === undefined) return;
  flushCompileCache(); // as the user that may write it; the next start is twice as fast with it
  process.setgroups?.([]);
  process.setgid?.(runAs.gid);
  process.setuid(runAs.uid);
  process.umask(0o077);
}

try {
  await main();
  process.exit(0);
} catch (error) {
  const hint = error instanceof PlatformError ? error.hint : undefined;
  tellSupervisor({ event: "failed", message: messageOf(error), ...(hint !== undefined && { hint }) });
  if (!(error instanceof PlatformError))
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
