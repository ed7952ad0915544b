/** The thread's side of hashing.ts. */
import { createHash, type Hash } from "node:crypto";
import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

import type { FromHashing, HashName, ToHashing } from "./hashing.ts";

/** The same as the owner's; of its module no value is loaded here. */
const slotBytes = 1024 * 1024;

interface Job {
  readonly hashes: readonly (readonly [HashName, Hash])[];
  readonly descriptor: number | undefined;
  hasFailed: boolean;
}

if (parentPort === null) throw new Error("this is the code of a thread, which hashing.ts starts");
const port = parentPort;
const memory = workerData as SharedArrayBuffer;
const jobs = new Map<number, Job>();

const tell = (message: FromHashing): void => port.postMessage(message);

port.on("message", (message: ToHashing) => {
  const { id } = message;
  if (message.kind === "begin") {
    const hashes = message.hashes.map((name) => [name, createHash(name)] as const);
    return void jobs.set(id, { hashes, descriptor: message.descriptor, hasFailed: false });
  }
  const job = jobs.get(id);
  if (job === undefined) throw new Error(`nothing has begun under the number ${id}`);
  if (message.kind === "batch") {
    add(id, job, Buffer.from(memory, message.slot * slotBytes, message.length));
    return tell({ kind: "free", slot: message.slot });
  }
  jobs.delete(id);
  if (!job.hasFailed)
    tell({ kind: "ended", id, digests: job.hashes.map(([name, hash]) => [name, hash.digest("hex")]) });
});

tell({ kind: "loaded" });

function add(id: number, job: Job, bytes: Buffer): void {
  if (job.hasFailed) return;
  try {
    for (const [, hash] of job.hashes) hash.update(bytes);
    if (job.descriptor === undefined) return;
    for (let at = 0; at < bytes.length;) at += writeSync(job.descriptor, bytes, at);
  } catch (error) {
    job.hasFailed = true;
    const { message, code } = error as NodeJS.ErrnoException;
    tell({ kind: "failed", id, message, code });
  }
}
