/**
 * A command in a container that runs: `runc exec`, a child of the worker. It enters the container's namespaces and control
 * group, with the rights of its main process. A worker that is killed leaves commands behind, which the next one ends.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";

import { type Clock, hasCode, namesIn, removeBelow } from "@lydian/kit";

import type { Cgroups } from "../../cgroups/cgroups.ts";
import type { ExecProcess, ExecRequest } from "../runtime.ts";
import type { HostPlace } from "./host-place.ts";
import { execProcess } from "./oci-spec.ts";
import { openPty } from "./pty.ts";
import { endProcessesAt } from "./stragglers.ts";

export interface ExecHost {
  readonly place: HostPlace;
  readonly runc: string;
  readonly host: { readonly maxOpenFiles: number };
  readonly oomScoreAdj: number;
}

/** What runc gets to see of the worker's environment. */
const environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/** As shells say that there is no such program, or none that can be run. */
const notFound = 127;
const notRun = 126;

interface Files {
  readonly spec: string;
  /** There as soon as the program runs. */
  readonly pid: string;
  /** Where runc says why it could not be run. */
  readonly log: string;
}

export async function runcExec(request: ExecRequest, host: ExecHost): Promise<ExecProcess> {
  const { place, runc } = host;
  const { terminal } = request;
  await mkdir(execFolder(place), { recursive: true, mode: 0o700 });
  const files = filesOf(place, request.id);
  const spec = execProcess({ ...request.process, ...(terminal && { terminal }) }, host);
  await writeFile(files.spec, JSON.stringify(spec), { mode: 0o600 });
  const args = [
    ...["--root", place.state, "--log", files.log, "--log-format", "json"],
    ...["exec", "--process", files.spec, "--pid-file", files.pid, place.id],
  ];
  const pty = terminal === undefined ? undefined : openPty(terminal);
  try {
    // runc copies between this terminal, or the pipes, and the one that it makes inside.
    const stdio = Array.from({ length: 3 }, () => pty?.slave ?? ("pipe" as const));
    const child = spawn(runc, args, { cwd: "/", env: environment, stdio, detached: true });
    const end = once(child, "exit").then(([code]) => endOf(files, code as number | null));
    await once(child, "spawn");
    pty?.release();
    const signal = (name: NodeJS.Signals): void => {
      if (child.exitCode === null && child.signalCode === null) signalGroup(pidIn(files.pid) ?? child.pid, name);
    };
    if (pty !== undefined) return { stdin: pty.master, stdout: pty.master, stderr: Readable.from([]), end, signal };
    const { stdin, stdout, stderr } = child;
    if (stdin === null || stdout === null || stderr === null) throw new Error("a child without pipes");
    return { stdin, stdout, stderr, end, signal };
  } catch (error) {
    pty?.[Symbol.dispose]();
    throw error;
  }
}

/** Ends what a worker before has left of its commands. */
export async function endCommands(
  place: HostPlace,
  { runc, cgroups, clock }: { runc: string; cgroups: Pick<Cgroups, "pids">; clock: Clock },
): Promise<void> {
  const folder = execFolder(place);
  if (!existsSync(folder)) return;
  await endProcessesAt(folder, [runc], clock); // first, so that no more of them begins
  const inside = new Set(await cgroups.pids(place.cgroup));
  for (const name of await namesIn(folder)) {
    const pid = name.endsWith(".pid") ? pidIn(join(folder, name)) : undefined;
    if (pid !== undefined && inside.has(pid)) signalGroup(pid, "SIGKILL");
  }
  await removeBelow(place.folder, folder);
}

const execFolder = (place: HostPlace): string => join(place.folder, "exec");

/** Whatever the id is. */
function filesOf(place: HostPlace, id: string): Files {
  const base = join(execFolder(place), createHash("sha256").update(id).digest("hex").slice(0, 24));
  return { spec: `${base}.json`, pid: `${base}.pid`, log: `${base}.log` };
}

/** Null: runc itself was killed. */
async function endOf(files: Files, code: number | null): Promise<number> {
  let end = code ?? 137;
  if (!existsSync(files.pid)) {
    const reason = await readFile(files.log, "utf8").catch(() => "");
    end = /not found|no such file/i.test(reason) ? notFound : notRun;
  }
  for (const file of Object.values(files) as string[]) await rm(file, { force: true }).catch(() => {}); // they go with the container
  return end;
}

/** Undefined before the program runs. */
function pidIn(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, "latin1"));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Each program that is run so leads a group, and so does runc. */
function signalGroup(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error; // it has ended meanwhile
  }
}
