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

import { type Clock, hasCode, PlatformError } from "@lydian/kit";

import { readAtOnce, watchWriters } from "../writer-watch.ts";
import type { HostPlace } from "./host-place.ts";
import { startFifo } from "./runc-state.ts";

/** Absolute paths. */
export interface RuncPrograms {
  readonly conmon: string;
  readonly runc: string;
}

/** 50 ms on an idle host. A host on which it takes so long cannot start containers. */
const createMs = 60_000;

/** What runc and conmon get to see of the worker's environment; times in the log are in UTC. */
const environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", TZ: "UTC" };

/**
 * Makes the container from the bundle, up to where its process waits to become the program. Rejects with what runc says;
 * what it made by then is still there.
 */
export async function createContainer(
  programs: RuncPrograms,
  place: HostPlace,
  logFile: string,
  clock: Clock,
): Promise<void> {
  const errors = await open(join(place.folder, "conmon-errors"), "a", 0o600);
  const log = join(place.folder, "log");
  try {
    await symlink(logFile, log); // conmon takes a colon in the path, which is the user's to choose, for its end
    const stdio: StdioOptions = ["ignore", "ignore", errors.fd, "pipe", "pipe"];
    const env = { ...environment, _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4" };
    const conmon = spawn(programs.conmon, conmonArguments(programs, place, log), {
      cwd: "/",
      env,
      stdio,
      detached: true,
    });
    conmon.unref();
    const answer = await answerOf(conmon, clock);
    if (answer === undefined) throw new Error(`conmon of ${place.id} ended without an answer: ${await said(place)}`);
    if (answer.data > 0) return;
    throw new PlatformError(`the container could not be made: ${answer.message ?? `runc failed (${answer.data})`}`);
  } finally {
    await errors.close();
  }
}

function conmonArguments(programs: RuncPrograms, place: HostPlace, log: string): string[] {
  const runcArguments = ["--root", place.state, "--log", join(place.folder, "runc-log")]; // stderr is then for people
  return [
    ...["--api-version", "1", "--cid", place.id, "--cuuid", place.id, "--name", place.id],
    ...["--runtime", programs.runc, ...runcArguments.flatMap((argument) => ["--runtime-arg", argument])],
    ...["--bundle", place.bundle, "--container-pidfile", join(place.bundle, "pid")],
    ...["--conmon-pidfile", join(place.bundle, "conmon-pid"), "--exit-dir", place.exits, "--persist-dir", place.notes],
    // Its attach socket goes into the bundle. After a power cut nobody reads the log, so it need not be synced at the end.
    ...["--log-path", `k8s-file:${log}`, "--no-sync-log", "--full-attach"],
  ];
}

interface ConmonAnswer {
  /** The process id of the container's first process; -1 or runc's exit code when there is none. */
  data: number;
  message?: string;
}

/** Gives conmon leave to begin and waits for its one line; undefined when it ends without. */
async function answerOf(conmon: ChildProcess, clock: Clock): Promise<ConmonAnswer | undefined> {
  const sync = conmon.stdio[3] as Readable;
  const start = conmon.stdio[4] as Writable;
  const lines = createInterface({ input: sync });
  using _patience = clock.timer(createMs, () =>
    sync.destroy(new PlatformError(`runc has not answered in ${createMs} ms`)),
  );
  try {
    start.on("error", () => {}); // it ended at once, which shows in the answer
    await once(conmon, "spawn");
    start.end("\0");
    const line = await new Promise<string | undefined>((resolve, reject) => {
      lines.once("line", resolve);
      lines.once("close", () => resolve(undefined));
      sync.once("error", reject);
    });
    return line === undefined ? undefined : (JSON.parse(line) as ConmonAnswer);
  } finally {
    lines.close();
    sync.destroy();
    start.destroy();
  }
}

async function said(place: HostPlace): Promise<string> {
  return (await readFile(join(place.folder, "conmon-errors"), "utf8")).trim();
}

/**
 * Lets the container's process become the program. It waits for a reader of its FIFO, to which it writes a byte; whoever
 * read it removes the FIFO. This is all that `runc start` does, which takes 10 ms for it; so in every runc since 1.0.
 */
export async function startContainer(place: HostPlace, clock: Clock): Promise<void> {
  const fifo = startFifo(place);
  const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const socket = new net.Socket({ fd, readable: true, writable: false });
  const started = Promise.withResolvers<void>();
  socket.once("data", () => started.resolve());
  socket.on("error", started.reject);
  const fail = (what: string): void => started.reject(new PlatformError(`the container ${what}`));
  const conmon = watchConmon(place, () => {
    // A program may have come to its end already; then the byte is still to be read.
    if (readAtOnce(fd) > 0) started.resolve();
    else fail("ended before it could start");
  });
  using _patience = clock.timer(createMs, () => fail(`has not started in ${createMs} ms`));
  try {
    await started.promise;
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
  try {
    const code = Number(await readFile(join(place.exits, place.id), "utf8"));
    return Number.isInteger(code) ? code : undefined;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
