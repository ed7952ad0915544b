/** What the doctor looks at: checks are data, one finding each. */

/** `missing`: the platform does not work without it. `warning`: it works, but something will be amiss. */
export type FindingState = "ok" | "missing" | "warning";

export interface Finding {
  readonly state: FindingState;
  /** What was found, in one line. */
  readonly detail: string;
  /** What to do about it; every finding that is not ok has one. */
  readonly remedy?: string;
}

export interface Check {
  readonly name: string;
  run(): Promise<Finding>;
}

export const ok = (detail: string): Finding => ({ state: "ok", detail });
export const missing = (detail: string, remedy: string): Finding => ({ state: "missing", detail, remedy });
export const warning = (detail: string, remedy: string): Finding => ({ state: "warning", detail, remedy });
