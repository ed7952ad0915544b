/**
 * A container's keeper: conmon, one per container, which is nobody's child and outlives the worker. It lets runc make the
 * container, writes the output into the log, waits for the end and writes down how it ended.
 */
import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { constants, openSync } from "node:fs";
import { open, readFile, rm, symlink } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

import { type Clock, hasCode, PlatformError, sleep } from "@lydian/kit";

import { doorDescriptor, type DoorSocket, keeperPidFile } from "../../container/door-socket.ts";
import type { Terminal } from "../runtime.ts";
import { watchWriters } from "../writer-watch.ts";
import type { HostPlace } from "./host-place.ts";
import { startFifo } from "./runc-state.ts";
import { endProcessesAt, processesAt } from "./stragglers.ts";

/** Absolute paths. */
export interface RuncPrograms {
  readonly conmon: string;
  readonly runc: string;
  /** What mounts buckets in containers. */
  readonly rclone?: string;
}

/** What a keeper is given to keep. */
export interface Kept {
  /** The container's own, where it says who it is. */
  readonly folder: string;
  readonly logFile: string;
  readonly terminal: Terminal | undefined;
  readonly door: DoorSocket | undefined;
}

/** 50 ms on an idle host. A host on which it takes so long cannot start containers. */
const createMs = 60_000;

/** Between two looks whether runc is still at work. */
const lookMs = 1000;

/** What runc and conmon get to see of the worker's environment; times in the log are in UTC. */
const environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", TZ: "UTC" };

/**
 * Makes the container from the bundle, up to where its process waits to become the program. Rejects with what runc says.
 * False: conmon or runc ended without a word, as they do when they are killed. What was made by then is still there.
 */
export async function createContainer(
  programs: RuncPrograms,
  place: HostPlace,
  kept: Kept,
  clock: Clock,
): Promise<boolean> {
  const errors = await open(conmonErrors(place), "a", 0o600);
  const log = join(place.folder, "log");
  const answered = new AbortController();
  try {
    await rm(keeperPidFile(kept.folder), { force: true }); // of a try before
    await symlink(conmonPid(place), keeperPidFile(kept.folder));
    await symlink(kept.logFile, log); // conmon takes a colon in the path, which is the user's to choose, for its end
    const stdio: StdioOptions = ["ignore", "ignore", errors.fd, "pipe", "pipe"];
    if (kept.door !== undefined) stdio[doorDescriptor] = kept.door.fd;
    const env = { ...environment, _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4" };
    const conmon = spawn(programs.conmon, conmonArguments(programs, place, log, kept.terminal), {
      cwd: "/",
      env,
      stdio,
      detached: true,
    });
    conmon.unref();
    const answer = await Promise.race([answerOf(conmon), runcIsGone(place, programs.runc, clock, answered.signal)]);
    if (answer !== undefined && answer.data > 0) return true;
    // What conmon passes on is whatever came out of the container's stderr: after a kill of runc its init's lament.
    const runcSpoke = (await textOf(runcLog(place))).includes("level=error");
    const said = runcSpoke ? (answer?.message ?? "runc failed") : (await textOf(conmonErrors(place))).trim();
    if (said !== "") throw new PlatformError(`the container could not be made: ${said}`);
    await endProcessesAt(place.folder, Object.values(programs), clock);
    return false;
  } finally {
    answered.abort();
    await errors.close();
  }
}

const conmonPid = (place: HostPlace): string => join(place.bundle, "conmon-pid");

/** Where runc writes its own errors, and conmon its. */
const runcLog = (place: HostPlace): string => join(place.folder, "runc-log");
const conmonErrors = (place: HostPlace): string => join(place.folder, "conmon-errors");

function conmonArguments(
  programs: RuncPrograms,
  place: HostPlace,
  log: string,
  terminal: Terminal | undefined,
): string[] {
  const runcArguments = ["--root", place.state, "--log", runcLog(place)]; // stderr is then for people
  return [
    ...["--api-version", "1", "--cid", place.id, "--cuuid", place.id, "--name", place.id],
    ...["--runtime", programs.runc, ...runcArguments.flatMap((argument) => ["--runtime-arg", argument])],
    ...["--bundle", place.bundle, "--container-pidfile", join(place.bundle, "pid")],
    ...["--conmon-pidfile", conmonPid(place), "--exit-dir", place.exits, "--persist-dir", place.notes],
    // Its attach socket goes into the bundle. After a power cut nobody reads the log, so it need not be synced at the end.
    ...["--log-path", `k8s-file:${log}`, "--no-sync-log", "--full-attach"],
    // It holds the terminal, and whoever types at it comes and goes.
    ...(terminal === undefined ? [] : ["--terminal", "--leave-stdin-open"]),
  ];
}

interface ConmonAnswer {
  /** The process id of the container's first process; -1 or runc's exit code when there is none. */
  data: number;
  message?: string;
}

/** Gives conmon leave to begin and waits for its one line; undefined when it ends without. */
async function answerOf(conmon: ChildProcess): Promise<ConmonAnswer | undefined> {
  const sync = conmon.stdio[3] as Readable;
  const start = conmon.stdio[4] as Writable;
  const lines = createInterface({ input: sync });
  try {
    start.on("error", () => {}); // it ended at once, which shows in the answer
    await once(conmon, "spawn");
    start.end("\0");
    const line = await new Promise<string | undefined>((resolve, reject) => {
      lines.once("line", resolve);
      lines.once("close", () => resolve(undefined));
      lines.on("error", reject);
    });
    return line === undefined ? undefined : (JSON.parse(line) as ConmonAnswer);
  } finally {
    lines.close();
    sync.destroy();
    start.destroy();
  }
}

/**
 * Resolves when runc has been killed in the moment in which conmon then waits for last words of the container's process,
 * and that waits for us. Nobody tells of it, so after a while it is looked whether runc is still there.
 */
async function runcIsGone(place: HostPlace, runc: string, clock: Clock, signal: AbortSignal): Promise<undefined> {
  const deadline = clock.now() + createMs;
  for (let without = 0; without < 2;) {
    // the first time it may have ended by itself just now
    await sleep(clock, lookMs, signal);
    if (clock.now() >= deadline) throw new PlatformError(`runc has not made the container in ${createMs} ms`);
    const atWork = await processesAt(place.folder, [runc]);
    without = atWork.length === 0 ? without + 1 : 0;
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return "";
    throw error;
  }
}

/**
 * Lets the container's process become the program. It waits for a reader of its FIFO, to which it writes a byte; whoever
 * read it removes the FIFO. This is all that `runc start` does, which takes 10 ms for it; so in every runc since 1.0.
 *
 * Resolves as well when the process or its conmon has been killed meanwhile: how it ended is for whoever watches conmon.
 */
export async function startContainer(place: HostPlace, clock: Clock): Promise<void> {
  const fifo = startFifo(place);
  const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const socket = new net.Socket({ fd, readable: true, writable: false });
  const settled = Promise.withResolvers<void>();
  socket.once("data", () => settled.resolve());
  socket.once("end", () => settled.resolve());
  socket.on("error", settled.reject);
  const conmon = watchConmon(place, () => settled.resolve());
  using _patience = clock.timer(createMs, () =>
    settled.reject(new PlatformError(`the container has not started in ${createMs} ms`)),
  );
  try {
    await settled.promise;
  } finally {
    socket.destroy();
    conmon.close();
  }
  await rm(fifo);
}

/** Calls `onGone` once, in a later turn, when the container's conmon has ended, by itself or not, or when it has already. */
export function watchConmon(place: HostPlace, onGone: () => void): { close(): void } {
  try {
    return watchWriters(join(place.bundle, "ctl"), onGone); // conmon keeps its control FIFO open for writing, too
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    const call = setImmediate(onGone); // it never came so far
    return { close: () => clearImmediate(call) };
  }
}

/** The exit code as a shell would say it; undefined when conmon has not written it. */
export async function readExitCode(place: HostPlace): Promise<number | undefined> {
  const text = await textOf(join(place.exits, place.id));
  return /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}
