/**
 * Has the kernel bring to disk what a container writes to a volume while it writes: a commit of gigabytes would wait for all of it
 * otherwise. Looks as long as large files grow, and else sleeps until the kernel tells that something happens in the folder.
 */
import { type FSWatcher, watch } from "node:fs";
import { constants, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { type Clock, hasCode, type Logger, nameOnDisk, textOfName, type Timer } from "@lydian/kit";

import { asyncSystemCall } from "../layers/system-call.ts";

const syncFileRange = asyncSystemCall("sync_file_range", ["long", "long", "long", "long"]);

/** Only begins to write, and waits for nothing. */
const write = 2;

const betweenMs = 500;

/** After so many looks that have found nothing new it sleeps. */
const quietLooks = 20;

/** Smaller files are many, and no great matter. */
const largeBytes = 8 * 1024 * 1024;

/** Of one look. */
const mostNames = 500;

export class EarlyWrites implements Disposable {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #write: (path: string) => Promise<void>;
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  /** Bytes of the large files that the last look found, and for how many looks it has been the same. */
  #bytes = 0;
  #quiet = 0;
  #isOver = false;

  /** Of an upper. `write` begins to bring a file to disk. */
  constructor(folder: string, { clock, logger }: { clock: Clock; logger: Logger }, write = writeOut) {
    this.#folder = folder;
    this.#clock = clock;
    this.#logger = logger;
    this.#write = write;
    this.#sleep();
  }

  /** Whether it looks at nothing, and waits for the kernel's word. */
  get isAsleep(): boolean {
    return this.#watcher !== undefined;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#watcher?.close();
    this.#timer?.[Symbol.dispose]();
  }

  #sleep(): void {
    this.#quiet = 0;
    this.#watcher = watch(this.#folder, { persistent: false }, () => this.#begin());
    this.#watcher.on("error", (error) => this.#failed(error));
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
        .then((bytes) => {
          this.#quiet = bytes === this.#bytes ? this.#quiet + 1 : 0;
          this.#bytes = bytes;
          if (this.#quiet >= quietLooks && !this.#isOver) this.#sleep();
          else this.#lookLater();
        })
        .catch((error: unknown) => {
          this.#failed(error);
          this.#lookLater();
        });
    });
    this.#timer.unref();
  }

  /** Answers how many bytes the large files have. */
  async #look(): Promise<number> {
    let [names, bytes] = [0, 0];
    const folders = [this.#folder];
    for (const folder of folders) {
      for (const each of await readdir(nameOnDisk(folder), { withFileTypes: true, encoding: "buffer" })) {
        if (++names > mostNames || this.#isOver) return bytes;
        const path = join(folder, textOfName(each.name));
        if (each.isDirectory()) folders.push(path);
        if (!each.isFile()) continue;
        const { size } = await stat(nameOnDisk(path));
        if (size < largeBytes) continue;
        bytes += size;
        await this.#write(path);
      }
    }
    return bytes;
  }

  /** What is looked at goes, and comes again another time. */
  #failed(error: unknown): void {
    if (!hasCode(error, "ENOENT", "ENOTDIR", "ELOOP"))
      this.#logger.debug({ err: error }, "nothing of a volume is written early");
  }
}

async function writeOut(path: string): Promise<void> {
  await using file = await open(nameOnDisk(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  await syncFileRange(path, file.fd, 0, 0, write);
}
