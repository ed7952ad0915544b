/** The thread that makes what layers have: ten thousand files are some short calls each, which nobody else waits for. */
import { readFor } from "../layers/reading-thread.ts";
import { type LayerBatch, makeParts } from "./layer-batch.ts";

readFor((batch: LayerBatch) => makeParts(batch));
