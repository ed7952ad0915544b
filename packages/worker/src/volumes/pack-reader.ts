/** Reads small files of uppers in a thread of its own (pack-thread.ts). */
import { ThreadReader } from "../layers/thread-reader.ts";
import type { FileToPack, Packed } from "./pack.ts";

export class PackReader extends ThreadReader<readonly FileToPack[], Packed> {
  constructor() {
    super(import.meta.url, "pack-thread");
  }
}
