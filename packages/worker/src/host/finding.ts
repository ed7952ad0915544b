/** What was found about one thing that the host should have. */

/** `missing`: it does not work without it. `warning`: it works, but something will be amiss. */
export type FindingState = "ok" | "missing" | "warning";

export interface Finding {
  readonly state: FindingState;
  /** What was found, in one line. */
  readonly detail: string;
  /** What to do about it; every finding that is not ok has one, and one that is ok may have advice. */
  readonly remedy?: string;
}

/** A finding about the host, such as its "Kernel". */
export interface HostFinding extends Finding {
  readonly name: string;
}

/** An answer for the program, and the same for people. */
export interface Probed<T> {
  readonly value: T;
  readonly finding: HostFinding;
}

export const ok = (detail: string, advice?: string): Finding => ({
  state: "ok",
  detail,
  ...(advice !== undefined && { remedy: advice }),
});
export const missing = (detail: string, remedy: string): Finding => ({ state: "missing", detail, remedy });
export const warning = (detail: string, remedy: string): Finding => ({ state: "warning", detail, remedy });

/** Without which it does not work; warnings are not among it. */
export function whatStandsInTheWay(findings: readonly HostFinding[]): readonly HostFinding[] {
  return findings.filter(({ state }) => state === "missing");
}
