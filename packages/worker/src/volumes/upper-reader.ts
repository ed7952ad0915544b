/** Reads what uppers have changed in a thread of its own (upper-thread.ts). */
import { ThreadReader } from "../layers/thread-reader.ts";
import type { Difference } from "./difference.ts";
import type { Stack } from "./stack.ts";

export interface UpperToRead {
  readonly upper: string;
  /** What it lies on. */
  readonly stack: Stack;
}

export class UpperReader extends ThreadReader<UpperToRead, Difference> {
  constructor() {
    super(import.meta.url, "upper-thread");
  }
}
