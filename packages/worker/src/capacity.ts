/** What this host offers: who the worker is, how much there is, which runtimes. */
import { readFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";

import { create } from "@bufbuild/protobuf";
import { hostGpus } from "./host/gpus.ts";
import * as wire from "@lydian/contract/worker";
import { hasCode, idMaker, isId, writeDurably } from "@lydian/kit";

const mib = 1024 * 1024;

/** What server, worker and operating system keep for themselves: a quarter, at most 1 GiB. */
function keptMib(totalMib: number): number {
  return Math.min(1024, Math.floor(totalMib / 4));
}

/** All cores (the platform's own share of them is small and gives way), and the memory that a control group leaves us. */
export async function hostCapacity(): Promise<wire.Capacity> {
  const constrained = process.constrainedMemory();
  const totalMib = Math.floor(Math.min(totalmem(), constrained > 0 ? constrained : Number.POSITIVE_INFINITY) / mib);
  return create(wire.CapacitySchema, {
    milliCpu: BigInt(availableParallelism() * 1000),
    memoryMib: BigInt(totalMib - keptMib(totalMib)),
    gpus: await hostGpus(),
  });
}

/** Chosen on the first start and kept. */
export async function workerId(data: string, now: () => number): Promise<string> {
  const file = join(data, "worker-id");
  try {
    const id = (await readFile(file, "utf8")).trim();
    if (isId("wo", id)) return id;
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  const id = idMaker(now)("wo");
  await writeDurably(file, `${id}\n`);
  return id;
}
