/** What is too much for one unit of work, and is done a portion at a time: everything of one call, or of one function. */
import type { DataFormat } from "@lydian/contract";

/**
 * `cancel` a call's inputs; `fail` all that a function has, or only the inputs that `wait` for a container; `forget` the
 * rows of a call that is no more.
 */
export interface Sweep {
  what: "cancel" | "fail" | "failWaiting" | "forget";
  /** The call's or function's id. */
  target: string;
  /** What the inputs end with: the wire's GenericResult. Empty for those that are not to end with one. */
  result: Uint8Array;
  dataFormat: DataFormat;
}
