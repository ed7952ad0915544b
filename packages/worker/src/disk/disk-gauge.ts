/**
 * How much room a disk has, and what containers hold of it. What lies on the disk is counted by `du`, open files without a
 * name by `find`: in processes beside this one, which a container can keep busy with millions of files or descriptors, or
 * with folders deeper than a path may be long, without keeping the worker from its work.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { readdir, statfs } from "node:fs/promises";
import { promisify } from "node:util";

import { hasCode } from "@lydian/kit";

import type { Room, Unit } from "./room.ts";

/** A folder, and the processes that may hold files of it which have no name any more. */
export interface Subject {
  readonly folder: string;
  readonly pids: readonly number[];
}

export interface Count {
  /** Blocks, not lengths, and each inode once; undefined when it could not be counted in time. */
  readonly held: number | undefined;
  /** Bytes that the processes, and those that they have waited for, have written to disks. */
  readonly wrote: number;
}

export interface DiskGauge {
  /** Without inodes where the file system makes them as they are needed. */
  rooms(): Promise<{ bytes: Room; inodes?: Room }>;
  /** Whether a folder is there and not empty. */
  hasEntries(folder: string): Promise<boolean>;
  /** One count for each subject. */
  count(subjects: readonly Subject[], unit: Unit, patienceMs: number): Promise<readonly Count[]>;
}

/** The number of statfs(2) for the root of a container; what else processes write to is memory, or not theirs. */
const overlayMagic = 0x794c7630;

/** How many processes are looked into: their names must fit into a command line. */
const mostProcesses = 10_000;

const run = promisify(execFile);

/** Of the disk below this folder. */
export function diskGauge(folder: string): DiskGauge {
  return {
    async rooms() {
      const { bsize, bavail, blocks, files, ffree } = await statfs(folder);
      const bytes = { free: bavail * bsize, total: blocks * bsize };
      return files === 0 ? { bytes } : { bytes, inodes: { free: ffree, total: files } };
    },

    async hasEntries(path) {
      try {
        return (await readdir(path)).length > 0;
      } catch (error) {
        if (hasCode(error, "ENOENT")) return false;
        throw error;
      }
    },

    async count(subjects, unit, patienceMs) {
      const folders = subjects.map((subject) => subject.folder);
      const pids = subjects.flatMap((subject) => subject.pids);
      const [below, nameless] = await Promise.all([
        countBelow(folders, unit, patienceMs),
        countNameless(pids, unit, patienceMs),
      ]);
      return subjects.map((subject) => {
        const named = below.get(subject.folder);
        const others = sum(new Map(subject.pids.flatMap((pid) => [...(nameless.get(pid) ?? [])])).values());
        return {
          held: named === undefined ? undefined : named + others,
          wrote: sum(subject.pids.map(writtenBy)),
        };
      });
    },
  };
}

async function countBelow(
  folders: readonly string[],
  unit: Unit,
  patienceMs: number,
): Promise<ReadonlyMap<string, number>> {
  const what = unit === "bytes" ? "--block-size=1" : "--inodes";
  // One `du` for each, so that one that takes long keeps nobody's answer back.
  const command = ["xargs", "-0", "-n", "1", "-P", "4", "du", "-s", "-x", what, "--"];
  const lines = await linesOf(command, patienceMs, folders.map((path) => `${path}\0`).join(""));
  return new Map(lines.map(([amount = "", path = ""]) => [path, Number(amount)]));
}

/** By process: what each inode takes. Several may have the same open. */
async function countNameless(
  pids: readonly number[],
  unit: Unit,
  patienceMs: number,
): Promise<ReadonlyMap<number, ReadonlyMap<string, number>>> {
  const places = pids.slice(0, mostProcesses).flatMap((pid) => [`/proc/${pid}/fd`, `/proc/${pid}/map_files`]);
  if (places.length === 0) return new Map();
  const test = ["-maxdepth", "1", "-type", "f", "-links", "0", "-printf", "%p\\t%D:%i\\t%b\\n"];
  const found = new Map<number, Map<string, number>>();
  for (const [path = "", inode = "", blocks = ""] of await linesOf(["find", "-L", ...places, ...test], patienceMs)) {
    if (!(await isOnDisk(path))) continue;
    const pid = Number(path.split("/")[2]);
    const inodes = found.get(pid) ?? new Map<string, number>();
    found.set(pid, inodes.set(inode, unit === "bytes" ? Number(blocks) * 512 : 1));
  }
  return found;
}

/** Not in shared memory. */
async function isOnDisk(path: string): Promise<boolean> {
  try {
    return (await statfs(path)).type === overlayMagic;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH")) return false; // closed meanwhile
    throw error;
  }
}

function writtenBy(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/io`, "latin1");
    const count = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1] ?? 0);
    return count("write_bytes") - count("cancelled_write_bytes");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH")) return 0; // it has ended
    throw error;
  }
}

/**
 * The whole lines that a program says in this time, in columns. A failure of it means nothing, for what it counts changes
 * meanwhile; only that it cannot be started is one.
 */
async function linesOf(command: readonly string[], patienceMs: number, input = ""): Promise<string[][]> {
  // `timeout` ends the program's children as well.
  const running = run("timeout", ["--signal=KILL", String(patienceMs / 1000), ...command], { maxBuffer: 2 ** 28 });
  running.child.stdin?.on("error", () => {}).end(input); // it may end before it has read all
  const text = await running.then(({ stdout }) => stdout, saidBefore);
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines.slice(0, -1).map((line) => line.split("\t"));
}

function saidBefore(error: unknown): string {
  const { code, stdout } = error as { code?: unknown; stdout?: unknown };
  if (typeof code === "string" || typeof stdout !== "string") throw error;
  return stdout;
}

function sum(amounts: Iterable<number>): number {
  let all = 0;
  for (const amount of amounts) all += amount;
  return all;
}
