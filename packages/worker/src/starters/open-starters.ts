/** Whether this worker has starters: its runtime can hand containers over, and its operator has not done without them. */
import type { Runtime } from "../runtime/runtime.ts";
import type { WorkerConfig } from "../config.ts";
import type * as wire from "@lydian/contract/worker";
import type { Logger } from "@lydian/kit";

import { Starter, type StarterHost, type StarterRuntime } from "./starter.ts";
import { Starters, type StartersOptions } from "./starters.ts";

interface Parts extends Omit<StarterHost, "runtime" | "memoryMib"> {
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly capacity: Pick<wire.Capacity, "memoryMib">;
}

export function openStarters({ runtime: asked }: WorkerConfig, parts: Parts): Starters | undefined {
  const { runtime, capacity, data, clock, logger } = parts;
  if (asked.name !== "runc" || asked.starters === 0 || !canHandOver(runtime)) return undefined;
  const host = { ...parts, runtime, memoryMib: Number(capacity.memoryMib) };
  const make = (...[place, kind, signal]: Parameters<StartersOptions["make"]>): Promise<Starter> =>
    Starter.start(place, kind, host, signal);
  return new Starters({ data, make, count: asked.starters, clock, logger });
}

const canHandOver = (runtime: Runtime): runtime is StarterRuntime => runtime.handOver !== undefined;
