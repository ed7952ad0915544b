/** Makes what layers have in a thread of its own (layer-thread.ts). */
import { ThreadReader } from "../layers/thread-reader.ts";
import type { LayerBatch } from "./layer-batch.ts";

/** Answers which parts could not be made. */
export class LayerMaker extends ThreadReader<LayerBatch, number[]> {
  constructor() {
    super(import.meta.url, "layer-thread");
  }
}
