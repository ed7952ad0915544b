/**
 * lease.json: what the worker must still know about a container after kill -9. Written, durably, before anything else of
 * the container exists, and never logged, for it holds the door's secret.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { hasCode, writeDurably } from "@lydian/kit";

import type { ContainerExit } from "./exit.ts";

export interface Lease {
  containerId: string;
  /** What it is called on the host, when that is not its id (folder.ts). */
  hostId?: string;
  fence: string;
  doorSecret: string;
  /** The runtime that has it. */
  runtime: string;
  /** Since the server asked for its end; when SIGKILL is due, in milliseconds since the epoch. */
  stop?: { killAtMs: number };
  /** Since it is gone. */
  exit?: ContainerExit;
}

export async function writeLease(folder: string, lease: Lease): Promise<void> {
  await writeDurably(join(folder, "lease.json"), `${JSON.stringify(lease)}\n`, 0o600);
}

/** The lease in this folder; undefined when it was never finished. */
export async function readLease(folder: string): Promise<Lease | undefined> {
  try {
    const lease = JSON.parse(await readFile(join(folder, "lease.json"), "utf8")) as Partial<Lease>;
    const { containerId, fence, doorSecret, runtime } = lease;
    const whole = [containerId, fence, doorSecret, runtime].every((field) => typeof field === "string");
    return whole ? (lease as Lease) : undefined;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR") || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
