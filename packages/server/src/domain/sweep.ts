/** What is too much for one unit of work, and is done a portion at a time: everything of one call, of one function, of a dict or queue, of an environment. */
import type { DataFormat } from "@lydian/contract";

/**
 * `cancel` a call's inputs; `fail` all that a function has, or only the inputs that `wait` for a container; `forget` the
 * rows of a call that is no more; `clearEnvironment` of one that is deleted; the others remove the contents of what was emptied.
 */
export interface Sweep {
  what: "cancel" | "fail" | "failWaiting" | "forget" | "clearEnvironment" | Emptied;
  /** The call's, function's or environment's id, the number of the contents. */
  target: string;
  /** What the inputs end with: the wire's GenericResult. Empty for those that are not to end with one. */
  result: Uint8Array;
  dataFormat: DataFormat;
}

/** Whose contents: a dict's, all of a queue's, or those of one of its partitions. */
export type Emptied = "emptyDict" | "emptyQueue" | "emptyPartition";
