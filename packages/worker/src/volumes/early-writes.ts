/**
 * Has the kernel bring to disk what a container writes to a volume while it writes: a commit of gigabytes would wait for all of it
 * otherwise. Looks as long as something new is there, and sleeps until the kernel tells that a first name has come.
 */
import { type FSWatcher, watch } from "node:fs";
import { constants, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { type Clock, hasCode, type Logger, type Timer } from "@lydian/kit";

import { asyncSystemCall } from "../layers/system-call.ts";

const syncFileRange = asyncSystemCall("sync_file_range", ["long", "long", "long", "long"]);

/** Only begins to write, and waits for nothing. */
const write = 2;

const betweenMs = 500;

/** Smaller files are many, and no great matter. */
const largeBytes = 8 * 1024 * 1024;

/** Of one look. */
const mostNames = 500;

export class EarlyWrites implements Disposable {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  #isOver = false;

  /** Of an upper. */
  constructor(folder: string, { clock, logger }: { clock: Clock; logger: Logger }) {
    this.#folder = folder;
    this.#clock = clock;
    this.#logger = logger;
    this.#watcher = watch(folder, { persistent: false }, () => this.#begin());
    this.#watcher.on("error", (error) => this.#failed(error));
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#watcher?.close();
    this.#timer?.[Symbol.dispose]();
  }

  #begin(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.#isOver) return;
    this.#timer = this.#clock.timer(betweenMs, () => {
      this.#look()
        .catch((error: unknown) => this.#failed(error))
        .finally(() => this.#lookLater());
    });
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    let names = 0;
    const folders = [this.#folder];
    for (const folder of folders) {
      for (const each of await readdir(folder, { withFileTypes: true })) {
        if (++names > mostNames || this.#isOver) return;
        const path = join(folder, each.name);
        if (each.isDirectory()) folders.push(path);
        else if (each.isFile() && (await stat(path)).size >= largeBytes) await writeOut(path);
      }
    }
  }

  /** What is looked at goes, and comes again another time. */
  #failed(error: unknown): void {
    if (!hasCode(error, "ENOENT", "ENOTDIR", "ELOOP"))
      this.#logger.debug({ err: error }, "nothing of a volume is written early");
  }
}

async function writeOut(path: string): Promise<void> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  await syncFileRange(path, file.fd, 0, 0, write);
}
