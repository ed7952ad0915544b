/** What the containers of a platform with the runtime `runc` are doing, as their files and /proc tell it. */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";
import { type HostNames, statusLine } from "@lydian/testkit";

import { Cgroups } from "@lydian/worker/src/cgroups/cgroups";

/**
 *     lay      its files are laid out
 *     create   conmon and runc are at work
 *     import   its program loads the function
 *     run      an input runs
 *     idle     it waits for inputs
 *     stop     it is asked to end, or ends by itself, or is being cleared away
 */
export const moments = ["lay", "create", "import", "run", "idle", "stop"] as const;
export type Moment = (typeof moments)[number];

/** The processes of a container on the host; its `init` is the first one inside, whatever that has become by then. */
export const parts = ["conmon", "runc", "init"] as const;
export type Part = (typeof parts)[number];

export class Containers {
  readonly #names: Pick<HostNames, "data" | "instance">;
  readonly #cgroups: Cgroups;

  private constructor(names: Pick<HostNames, "data" | "instance">, cgroups: Cgroups) {
    this.#names = names;
    this.#cgroups = cgroups;
  }

  static async of(names: Pick<HostNames, "data" | "instance">): Promise<Containers> {
    return new Containers(names, await Cgroups.detect());
  }

  /** Those that the worker has in its folder. */
  list(): { id: string; moment: Moment }[] {
    const folder = join(this.#names.data, "worker", "containers");
    return entries(folder).flatMap((id) => {
      const moment = this.#moment(id, join(folder, id));
      return moment === undefined ? [] : [{ id, moment }];
    });
  }

  /** A process of its; undefined when there is none now. */
  async pid(id: string, part: Part): Promise<number | undefined> {
    const hostId = this.#hostId(id);
    const own = this.#own(hostId);
    const conmon = Number(text(join(own, "bundle", "conmon-pid")));
    switch (part) {
      case "conmon":
        return argumentsOf(conmon).some((argument) => argument.startsWith(own)) ? conmon : undefined;
      case "runc":
        return (text(`/proc/${conmon}/task/${conmon}/children`) ?? "")
          .split(" ")
          .map(Number)
          .find((pid) => argumentsOf(pid).includes(join(own, "runc")));
      case "init": {
        const pids = await this.#cgroups.pids(`/lydian/${this.#names.instance}/${hostId}`);
        return pids.find((pid) => statusLine(pid, "NSpid")?.endsWith("\t1"));
      }
    }
  }

  /** What it is called on the host: where it began as a starter, by that. */
  #hostId(id: string): string {
    const lease = text(join(this.#names.data, "worker", "containers", id, "lease.json")) ?? "";
    return /"hostId":"([\w-]+)"/.exec(lease)?.[1] ?? id;
  }

  #own(hostId: string): string {
    return join("/run/lydian", this.#names.instance, "c", hostId);
  }

  /** Undefined when its folder has gone meanwhile. */
  #moment(id: string, folder: string): Moment | undefined {
    const log = tail(join(folder, "log"));
    const lease = text(join(folder, "lease.json"));
    if (log === undefined || lease === undefined) return undefined;
    if (/"(?:stop|exit)":/.test(lease) || existsSync(join(folder, "end.json")) || log.includes("that was all"))
      return "stop";
    const [begun, ended] = [log.lastIndexOf(" F begin "), log.lastIndexOf(" F end ")];
    if (begun !== ended) return begun > ended ? "run" : "idle";
    const hostId = this.#hostId(id);
    const own = this.#own(hostId);
    if (!existsSync(join(own, "bundle", "conmon-pid"))) return "lay";
    const state = join(own, "runc", hostId);
    return existsSync(join(state, "state.json")) && !existsSync(join(state, "exec.fifo")) ? "import" : "create";
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

function argumentsOf(pid: number): string[] {
  return (text(`/proc/${pid}/cmdline`) ?? "").split("\0");
}

/** Of a log, more than an input's lines; undefined when it is not there. */
function tail(file: string): string | undefined {
  try {
    const fd = openSync(file, "r");
    try {
      const buffer = Buffer.alloc(4096);
      const length = readSync(fd, buffer, 0, buffer.length, Math.max(0, fstatSync(fd).size - buffer.length));
      return buffer.toString("latin1", 0, length);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Undefined when it is not there. */
function text(file: string): string | undefined {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "ESRCH")) return undefined;
    throw error;
  }
}
