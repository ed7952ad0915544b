/**
 * Brings SQLite's write-ahead log to disk beside the event loop: one sync at a time, and all commits that come while one is
 * under way share the next.
 *
 * A commit is in the log's file, and so safe from the death of this process, before it is asked for here; the file's
 * frames are chained by checksums, so that after a power cut what is found is a prefix of the commits. SQLite syncs the
 * log itself before it moves its pages into the database, and when it begins it anew.
 */
import { closeSync, fdatasync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";

/** Brings a file's data to disk, as `fdatasync` does. */
export type Sync = (descriptor: number, done: (error: Error | null) => void) => void;

interface Waiting {
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class WriteAheadLog {
  readonly #descriptor: number;
  readonly #sync: Sync;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  /** The file must exist. */
  constructor(file: string, sync: Sync = fdatasync) {
    this.#sync = sync;
    this.#descriptor = openSync(file, "r");
    const folder = openSync(dirname(file), "r");
    fsyncSync(folder); // the file may have been made a moment ago
    closeSync(folder);
  }

  /** Resolves when all that is committed now is on disk. */
  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#running ??= this.#run();
    });
  }

  async close(): Promise<void> {
    await this.#running;
    closeSync(this.#descriptor);
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      const error = await new Promise<Error | null>((resolve) => this.#sync(this.#descriptor, resolve));
      for (const { resolve, reject } of waiting) {
        if (error === null) resolve();
        else reject(error);
      }
      // What could not be written may be gone from memory as well: a later sync that succeeds would say nothing of it.
      if (error !== null) throw error;
    }
    this.#running = undefined;
  }
}
