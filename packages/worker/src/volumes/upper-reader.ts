/** Reads what uppers have changed in a thread of its own (upper-thread.ts). */
import { ThreadReader } from "../layers/thread-reader.ts";
import type { Difference } from "./difference.ts";

export interface Upper {
  readonly upper: string;
  /** What it lies on, topmost first. */
  readonly layers: readonly string[];
}

export class UpperReader extends ThreadReader<Upper, Difference> {
  constructor() {
    super(import.meta.url, "upper-thread");
  }
}
