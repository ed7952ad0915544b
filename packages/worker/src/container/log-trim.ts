/**
 * Gives back the disk space of what the server has of a container's log: the file's beginning becomes a hole, which takes
 * no space. The file keeps its length, so that an offset means the same record for ever; whoever appends to it or follows
 * it need not be told, and no line can be lost as in a change of files.
 */
import { open } from "node:fs/promises";

import { hasCode } from "@lydian/kit";

import { asyncSystemCall } from "../layers/system-call.ts";

const fallocate = asyncSystemCall("fallocate", ["long", "long", "long", "long"]);
const punchHole = 2 | 1; // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE

/** The kernel frees whole blocks; this is a multiple of every file system's. */
const block = 64 * 1024;

/** A system call for less is not worth it. */
const leastBytes = 1024 * 1024;

export class LogTrim {
  readonly #file: string;
  #trimmed = 0;
  #running = false;
  #isPossible = true;

  constructor(file: string) {
    this.#file = file;
  }

  /**
   * Nobody needs what lies before `offset` any more. Does nothing while an earlier call is at work: a later offset covers
   * more. Where the file system has no holes the log just grows.
   */
  async until(offset: number): Promise<void> {
    const end = offset - (offset % block);
    if (!this.#isPossible || this.#running || end - this.#trimmed < leastBytes) return;
    this.#running = true;
    try {
      await using handle = await open(this.#file, "r+");
      await fallocate(this.#file, handle.fd, punchHole, this.#trimmed, end - this.#trimmed);
      this.#trimmed = end;
    } catch (error) {
      if (!hasCode(error, "EOPNOTSUPP", "ENOSYS", "ENOENT")) throw error;
      this.#isPossible = false; // or the container's folder is gone
    } finally {
      this.#running = false;
    }
  }
}
