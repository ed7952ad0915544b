/**
 * The inputs of functions in order of time: what was called, and how each went, for as long as a call is kept; and of each function
 * the last inputs that ended, whose calls are forgotten.
 */
import type { InputEnded } from "./happening.ts";

/** Whose inputs, of calls that were made from `since` on and before `until`; in milliseconds since the epoch. */
export interface HistorySpan {
  functionIds: readonly string[];
  since: number;
  until: number;
}

export interface HistoryEntry {
  callId: string;
  /** Of a class; empty for a plain function. */
  method: string;
  queuedAt: number;
  /** Since when it runs, or ran the last time. */
  startedAt: number | undefined;
  endedAt: number | undefined;
  containerId: string | undefined;
  state: "waits" | "runs" | "ended";
  /** Of one that ended, the beginning of its result (the wire's GenericResult), which says how; or just how. */
  resultHead: Uint8Array | undefined;
  outcome: InputEnded["status"] | undefined;
}

/** An input that has ended. */
export interface PastInput {
  functionId: string;
  callId: string;
  index: number;
  method: string;
  queuedAt: number;
  startedAt: number | undefined;
  endedAt: number;
  containerId: string | undefined;
  outcome: InputEnded["status"];
}

export interface CallHistory {
  /** The newest calls first, and of each the last of its inputs first. */
  newest(functionIds: readonly string[], limit: number): Promise<HistoryEntry[]>;
  /** The oldest first. */
  between(span: HistorySpan, limit: number): Promise<HistoryEntry[]>;
  /** How many inputs there are of the calls that were made in each of the spans of so many milliseconds from `since` on; of an empty one nothing. */
  counts(span: HistorySpan, bucketMs: number): Promise<{ bucket: number; inputs: number }[]>;
  /** Adds them; of each function the newest are kept. */
  add(ended: readonly PastInput[]): Promise<void>;
  /** Answers how many rows went. */
  forget(endedBefore: number, limit: number): Promise<number>;
  /** How many inputs containers had at that time. */
  running(functionIds: readonly string[], at: number, containerId?: string): Promise<number>;
}
