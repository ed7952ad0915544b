/** What was counted, by functions, containers and minutes; and the last requests that were answered. */
import type { Tally } from "./tally.ts";

/** How long the spans are that are counted by, in milliseconds; after a while, hours take the place of minutes. */
export const minute = 60_000;
export const hour = 3_600_000;

/** Of each function so many past requests are kept, and so many inputs that have ended. */
export const mostPast = 1_000;

export interface TallyKey {
  functionId: string;
  /** Empty: of all of them, or of none. */
  containerId: string;
  /** The beginning of the span. */
  from: number;
}

/** Of which functions, from `since` on and before `until`; of one container alone, or of all. */
export interface Window {
  functionIds: readonly string[];
  containerId?: string | undefined;
  since: number;
  until: number;
}

/** A request that has been answered, or whose caller left. */
export interface PastRequest {
  functionId: string;
  /** When it came. */
  at: number;
  /** Without its query, which may carry what is nobody's business. */
  route: string;
  containerId: string;
  ms: number;
  /** Of HTTP; 0 when the caller left before. */
  status: number;
}

export interface Statistics {
  /** Adds to what was counted of these minutes. */
  add(counted: readonly { key: TallyKey; tally: Tally }[]): Promise<void>;
  /** Spans that begin in the window, the first ones first. */
  during(window: Window): Promise<{ key: TallyKey; tally: Partial<Tally> }[]>;
  /** Makes hours of minutes that began before; answers of how many. */
  rollUp(before: number, limit: number): Promise<number>;
  /** Answers how many rows went. */
  forget(before: number, limit: number): Promise<number>;
  /** Adds them; of each function the newest are kept. */
  addRequests(requests: readonly PastRequest[]): Promise<void>;
  forgetRequests(before: number, limit: number): Promise<number>;
  /** The newest first. */
  newestRequests(functionId: string, limit: number): Promise<PastRequest[]>;
  /** The oldest first. */
  requests(window: Window, limit: number): Promise<PastRequest[]>;
}
