/** What runc keeps about a container: read from its file, for `runc state` takes 10 ms and knows no more. */
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";

import type { ProcessIdentity } from "../process/process-identity.ts";
import type { HostPlace } from "./host-place.ts";
import { currentBoot } from "../../boot.ts";

export interface RuncState {
  readonly init: ProcessIdentity;
  /** False while the container is there and waits at its FIFO. */
  readonly isStarted: boolean;
}

/** There from `runc create` until the container is started. */
export function startFifo(place: HostPlace): string {
  return join(stateFolder(place), "exec.fifo");
}

function stateFolder(place: HostPlace): string {
  return join(place.state, place.id);
}

/** Undefined when runc never finished making the container. */
export async function readState(place: HostPlace): Promise<RuncState | undefined> {
  try {
    const state = JSON.parse(await readFile(join(stateFolder(place), "state.json"), "utf8")) as Record<string, unknown>;
    const { init_process_pid: pid, init_process_start: startTicks } = state;
    if (typeof pid !== "number" || typeof startTicks !== "number" || pid <= 0) return undefined;
    return { init: { pid, startTicks, boot: currentBoot }, isStarted: !(await isThere(startFifo(place))) };
  } catch (error) {
    if (hasCode(error, "ENOENT") || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
