/** Takes a data folder for one supervisor, and says who has it. */
import { existsSync } from "node:fs";
import { open, mkdir, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import {
  type FileLock,
  PlatformError,
  hasCode,
  lockWithin,
  messageOf,
  systemClock,
  tryLock,
  writeDurably,
} from "@lydian/kit";

import { type DataLayout, shellWord } from "./paths.ts";

/** What a running supervisor says of itself. */
export interface RunningPlatform {
  readonly pid: number;
  readonly url: string;
}

/** Creates the folder if it is missing and locks it; throws a PlatformError when another process has it. */
export async function claimDataFolder(layout: DataLayout): Promise<FileLock> {
  await createFolder(layout);
  const lock = tryLock(layout.lock);
  if (lock !== undefined) {
    await rm(layout.running, { force: true }); // left by one that was killed: it must not speak for us
    return lock;
  }
  const running = await readRunning(layout);
  const who = running === undefined ? "" : ` (process ${running.pid}, ${running.url})`;
  throw new PlatformError(`a platform is already running on ${layout.root}${who}`, {
    hint:
      running === undefined
        ? "stop it first, or choose another folder with --data"
        : `use that one, stop it with \`kill ${running.pid}\`, or choose another folder with --data`,
  });
}

/** How long server and worker may take to notice that their supervisor was killed. */
const predecessorsMs = 10_000;

/** A supervisor that was killed leaves children that end by themselves in a moment; until then they hold the port. */
export async function awaitPredecessors(layout: DataLayout): Promise<void> {
  for (const folder of [layout.server, layout.worker]) {
    const file = join(folder, "lock");
    if (existsSync(file)) (await lockWithin(systemClock, file, predecessorsMs))[Symbol.dispose]();
  }
}

async function createFolder(layout: DataLayout): Promise<void> {
  try {
    await mkdir(layout.root, { recursive: true, mode: 0o700 });
    await refuseForeignFolder(layout);
    // Before SQLite makes it readable: whoever can read the file can lock it.
    await (await open(layout.lock, "a", 0o600)).close();
  } catch (error) {
    if (!hasCode(error, "EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "ENOSPC")) throw error;
    throw new PlatformError(`cannot use ${layout.root} as data folder: ${messageOf(error)}`, {
      hint: "choose a folder that this user may write with --data",
      cause: error,
    });
  }
}

/** A mistyped --data must not change the rights of a folder that is somebody's: `/tmp`, a home. */
async function refuseForeignFolder(layout: DataLayout): Promise<void> {
  const entries = await readdir(layout.root);
  const isOurs = entries.includes("lock") || entries.every((entry) => entry === "lost+found"); // a fresh file system
  if (isOurs) return;
  throw new PlatformError(`${layout.root} is not empty and is not a data folder of Lydian`, {
    hint: `choose an empty or a new folder, such as --data ${shellWord(`${layout.root.replace(/\/+$/, "")}/lydian`)}`,
  });
}

/** For readers: readable by everyone who may enter the folder, and nothing in it is secret. */
export async function writeRunning(layout: DataLayout, running: RunningPlatform): Promise<void> {
  await writeDurably(layout.running, `${JSON.stringify(running)}\n`, 0o644);
}

/** What the last supervisor of this folder said, whether or not it still lives; undefined when none did. */
export async function readRunning(layout: DataLayout): Promise<RunningPlatform | undefined> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(layout.running, "utf8"));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES") || error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== "object" || value === null || !("pid" in value) || !("url" in value)) return undefined;
  const { pid, url } = value;
  return typeof pid === "number" && typeof url === "string" ? { pid, url } : undefined;
}

/** Whether a process with this number exists; it may be another one than was meant. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, "EPERM");
  }
}
