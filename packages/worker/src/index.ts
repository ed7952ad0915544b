/** Runs containers on one host for a Lydian server. It is started as a process; this is what its supervisor needs. */
import { fileURLToPath } from "node:url";

export { type WorkerConfig, type WorkerConfigInput, workerConfigSchema } from "./config.ts";

/** The program to start: `node main`, with a WorkerConfig as JSON line on stdin. */
export const workerMain = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js", import.meta.url),
);
