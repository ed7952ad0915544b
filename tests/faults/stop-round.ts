/** A platform is told to end while containers start, run and end; its parts are killed just before that, or meanwhile. */
import { setTimeout as pause } from "node:timers/promises";

import { Platform, until } from "@lydian/testkit";

import { type Victim } from "./aims.ts";
import { Caller } from "./caller.ts";
import { Containers, type Moment } from "./containers.ts";
import { numbered } from "./fault-run.ts";
import { kill } from "./killer.ts";

export interface StopRound {
  /** It begins when a container is at one of them. */
  readonly moments: readonly Moment[];
  /** Killed where they are there, those of every container. */
  readonly victims: readonly Victim[];
  /** From the kill to the platform's stop; where it is negative, the stop comes first. */
  readonly stopAfterMs: number;
}

/** Afterwards the host is as it was, or `stop` fails; what the server could not be told any more waits for the next start. */
export async function stopRound({ moments, victims, stopAfterMs }: StopRound): Promise<void> {
  await using platform = await Platform.start({ runtime: "runc" });
  const containers = await Containers.of(platform.names);
  {
    await using caller = new Caller(platform, numbered);
    await caller.ask("go", "calling");
    await until(
      60_000,
      () => containers.list().some(({ moment }) => moments.includes(moment)),
      () => platform.describe(`no container is at ${moments.join(" or ")}`),
      2,
    );
  } // nobody calls any more
  const killAll = async (): Promise<void> => {
    for (const victim of victims) {
      const pids =
        victim === "server" || victim === "worker"
          ? [platform.process(victim)?.pid]
          : await Promise.all(containers.list().map(({ id }) => containers.pid(id, victim)));
      for (const pid of pids) if (pid !== undefined) kill(pid);
    }
  };
  if (stopAfterMs >= 0) {
    await killAll();
    await pause(stopAfterMs); // the moment is what is tested
    await platform.stop();
  } else {
    const stopped = platform.stop();
    await pause(-stopAfterMs);
    await killAll();
    await stopped;
  }
}
