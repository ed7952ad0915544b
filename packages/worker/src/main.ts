/**
 * The worker's process, started by a supervisor (kit's child.ts).
 *
 * When the supervisor is gone it ends at once and leaves its containers running: the next worker takes them over. When
 * it is told to end (SIGTERM, or from the start by the argument --end) it stops them, for a platform that was stopped
 * leaves no process behind. The doors come first (about 125 ms after the start of the process); all that is slow to load comes after them.
 */
import { mkdir } from "node:fs/promises";
import { enableCompileCache, flushCompileCache } from "node:module";
import { join } from "node:path";

import { lockWithin, messageOf, PlatformError, readConfiguration, systemClock, tellSupervisor } from "@lydian/kit";

import { reopenDoors, whereabouts } from "./reopen.ts";
import type { Worker } from "./worker.ts";

/** The kernel frees the lock as soon as the worker before is dead. */
const lockMs = 10_000;

async function start(): Promise<Worker> {
  const configuration = await readConfiguration(() => {
    if (!toldToEnd) process.exit(0);
  });
  const { data, cache, server } = whereabouts(configuration);
  await mkdir(data, { recursive: true, mode: 0o700 });
  const lock = await lockWithin(systemClock, join(data, "lock"), lockMs);
  const inheritance = await reopenDoors(data, server);
  const doorsMs = Math.round(performance.now());

  // Containers wait behind their doors while this loads: 350 ms of silence with the cache, 450 without.
  enableCompileCache(join(cache, "node"));
  const [{ workerConfigSchema }, { startWorker }] = await Promise.all([import("./config.ts"), import("./worker.ts")]);
  const worker = await startWorker(workerConfigSchema.parse(configuration), inheritance, {
    doorsMs,
    onReady: () => tellSupervisor({ event: "ready" }),
  });
  flushCompileCache(); // now, for a process that is killed writes nothing at its end
  return {
    async close() {
      await worker.close();
      lock[Symbol.dispose]();
    },
  };
}

function fail(error: unknown): never {
  const hint = error instanceof PlatformError ? error.hint : undefined;
  tellSupervisor({ event: "failed", message: messageOf(error), ...(hint === undefined ? {} : { hint }) });
  if (!(error instanceof PlatformError))
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}

process.umask(0o022); // what is laid out for a container, its root must be able to read
let toldToEnd = false;
const starting = start();
starting.catch(fail);
function end(): void {
  if (toldToEnd) return;
  toldToEnd = true;
  starting.then((worker) => worker.close()).then(() => process.exit(0), fail);
}
process.on("SIGTERM", end);
if (process.argv.includes("--end")) end();
// Ctrl-C reaches every process of the terminal; what it means for the worker is the supervisor's to say.
process.on("SIGINT", () => {});
