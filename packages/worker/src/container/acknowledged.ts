/**
 * How far the server has a container's log on its disk, kept so that a new worker goes on from there.
 *
 * Not synced: after a power cut there is no container to go on with, and an old value only makes the worker send pieces
 * again that the server drops by their offset.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";

export class AcknowledgedOffset {
  readonly #file: string;
  #value: number;

  constructor(folder: string) {
    this.#file = join(folder, "log-acknowledged");
    this.#value = readOffset(this.#file);
  }

  get value(): number {
    return this.#value;
  }

  /** An older acknowledgement that comes late changes nothing. A write of a few bytes, so it may be synchronous. */
  advance(offset: number): void {
    if (offset <= this.#value) return;
    this.#value = offset;
    writeFileSync(`${this.#file}.tmp`, String(offset), { mode: 0o600 });
    renameSync(`${this.#file}.tmp`, this.#file);
  }
}

function readOffset(file: string): number {
  try {
    const offset = Number(readFileSync(file, "utf8"));
    return Number.isSafeInteger(offset) ? offset : 0;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return 0;
    throw error;
  }
}
