/** Reads layers for their facts in a thread of its own (tree-thread.ts). */
import { ThreadReader } from "./thread-reader.ts";
import type { TreeFacts } from "./tree-facts.ts";

/** Asked for a root. */
export class TreeReader extends ThreadReader<string, TreeFacts> {
  constructor() {
    super(import.meta.url, "tree-thread");
  }
}
