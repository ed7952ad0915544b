/** A container that runs, as the rest of the worker sees it: how it ends, and what it holds of the disk until then. */
import { dirname } from "node:path";

import type { Logger } from "@lydian/kit";

import type { Cgroups } from "../../cgroups/cgroups.ts";
import type { ProcessEnd } from "../../container/exit.ts";
import type { DiskGuard } from "../../disk/disk-guard.ts";
import { signalProcess } from "../process/process-identity.ts";
import type { ContainerProcess } from "../runtime.ts";
import { readExitCode, watchConmon } from "./conmon.ts";
import { endOf } from "./container-end.ts";
import type { Held } from "./held.ts";
import type { HostPlace } from "./host-place.ts";
import { writeEnd } from "./record.ts";
import type { RuncState } from "./runc-state.ts";

export interface WatchParts {
  readonly cgroups: Cgroups;
  readonly disk: DiskGuard;
  readonly logger: Logger;
}

/** Without a state it was never made, and ends at once. */
export function watchRunning(
  held: Held,
  host: HostPlace,
  state: RuncState | undefined,
  parts: WatchParts,
): ContainerProcess {
  const signal = (name: NodeJS.Signals, whom: "process" | "group"): void => {
    if (state !== undefined) signalProcess(state.init, name, whom);
  };
  const ended = Promise.withResolvers<ProcessEnd>();
  const watch = watchConmon(host, () => {
    watch.close();
    readAndKeepEnd(held, host, state, parts).then(ended.resolve, (error: unknown) => {
      ended.resolve({ reason: "lost", message: `how it ended cannot be read: ${String(error)}` });
    });
  });
  held.watch = watch;
  held.guard = () =>
    parts.disk.watch({
      id: held.place.id,
      folder: dirname(held.work),
      limitMib: held.resources.diskMib,
      isFresh: held.layout !== undefined,
      pids: () => parts.cgroups.pids(host.cgroup),
      end: (message) => {
        held.verdict = { reason: "outOfDisk", message };
        signal("SIGKILL", "process");
      },
    });
  if (!held.isSpare) held.diskWatch = held.guard();
  return {
    end: ended.promise,
    signal: (name) => signal(name, "group"),
    usage: () => parts.cgroups.usage(host.cgroup),
    release: () => {
      watch.close();
      held.diskWatch?.[Symbol.dispose]();
      held.listener?.close();
    },
  };
}

/** Of a container whose conmon is gone; written down before `clear` takes away what it is read from. */
async function readAndKeepEnd(
  held: Held,
  host: HostPlace,
  state: RuncState | undefined,
  { cgroups, logger }: WatchParts,
): Promise<ProcessEnd> {
  const { place } = held;
  logger.debug({ container: place.id, step: "ended" }, "container");
  const exitCode = await readExitCode(host);
  held.isOver = exitCode !== undefined;
  if (exitCode === undefined && state !== undefined) signalProcess(state.init, "SIGKILL", "process");
  const oomKills = await cgroups.oomKills(host.cgroup);
  const end = held.verdict ?? endOf({ exitCode, oomKills, memoryMib: held.resources.memoryMib });
  try {
    await writeEnd(place, end);
  } catch (error) {
    // Such as on a full disk: only a worker after this one would have to read it.
    logger.error({ err: error, container: place.id }, "the end of a container could not be written down");
  }
  return end;
}
