/**
 * One owner per folder: a lock that the kernel gives back when its process dies, however it dies.
 *
 * It is SQLite's own file lock (fcntl) on an empty database, since the runtime offers no flock.
 */
import { DatabaseSync } from "node:sqlite";

import { PlatformError } from "./errors.ts";
import { type Clock, sleep } from "./clock.ts";

export interface FileLock extends Disposable {
  readonly file: string;
}

/** The result code that SQLite gives when another process holds the lock. */
const sqliteBusy = 5;

/** Takes the lock, or answers undefined when another process has it. */
export function tryLock(file: string): FileLock | undefined {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return undefined;
    throw error;
  }
  let open = true;
  return {
    file,
    [Symbol.dispose]() {
      if (open) database.close();
      open = false;
    },
  };
}

/** Takes the lock, waiting up to `waitMs` for a process that is just ending. */
export async function lockWithin(clock: Clock, file: string, waitMs: number): Promise<FileLock> {
  const deadline = clock.now() + waitMs;
  for (;;) {
    const lock = tryLock(file);
    if (lock !== undefined) return lock;
    if (clock.now() >= deadline) throw new PlatformError(`${file} is locked by another process that does not end`);
    await sleep(clock, 25); // the kernel tells nobody when a file lock is free, so this one wait has to look again
  }
}
