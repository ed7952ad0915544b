/** The processes of this machine, as /proc shows them. */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

import { hasCode } from "@lydian/kit";

export interface ProcessEntry {
  pid: number;
  parent: number;
  /** Clock ticks from boot to start: with the pid it names a process for good. */
  startTicks: number;
  command: readonly string[];
  environment: ReadonlyMap<string, string>;
}

/** Undefined when it has ended, also when its parent has not waited for it. */
export function readProcess(pid: number): ProcessEntry | undefined {
  const stat = readProc(pid, "stat");
  if (stat === undefined) return undefined;
  // The name in parentheses may contain anything, so the fields are counted from its end; the first one is the state.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return undefined;
  return {
    pid,
    parent: Number(fields[1]),
    startTicks: Number(fields[19]),
    command: (readProc(pid, "cmdline") ?? "").split("\0").slice(0, -1),
    environment: new Map((readProc(pid, "environ") ?? "").split("\0").map((variable) => split(variable))),
  };
}

export function listProcesses(): ProcessEntry[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
}

/** Whether that process still runs, and not another one with its number. */
export function isRunning({ pid, startTicks }: Pick<ProcessEntry, "pid" | "startTicks">): boolean {
  return readProcess(pid)?.startTicks === startTicks;
}

/**
 * Whether it has to do with what is called so, a folder or a platform: names it in its command line or environment, is in
 * a control group of that name, works there, or has a file open there.
 */
export function touches(entry: ProcessEntry, name: string): boolean {
  const words = [...entry.command, ...entry.environment.values(), readProc(entry.pid, "cgroup") ?? ""];
  if (words.some((word) => word.includes(name))) return true;
  return [...openFiles(entry.pid), linkOf(`/proc/${entry.pid}/cwd`)].some((path) => path.startsWith(name));
}

/** The value of a line such as `Uid:` in /proc/PID/status. */
export function statusLine(pid: number, name: string): string | undefined {
  return new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(readProc(pid, "status") ?? "")?.[1]?.trim();
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  return Number(/^(\d+) kB$/.exec(statusLine(pid, "VmRSS") ?? "")?.[1] ?? Number.NaN) * 1024;
}

function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isGone(error) || hasCode(error, "ENAMETOOLONG")) return ""; // a mount that is no file has no path, only a long name
    throw error;
  }
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** It ended, or it is another user's. */
const isGone = (error: unknown): boolean => hasCode(error, "ENOENT", "ESRCH", "EACCES", "EPERM");

function split(variable: string): [string, string] {
  const at = variable.indexOf("=");
  return at === -1 ? [variable, ""] : [variable.slice(0, at), variable.slice(at + 1)];
}
