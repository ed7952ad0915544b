/** What the doctor looks at: checks are data; what they find has the shape that the worker's probes of the host have. */
import type { Finding, HostFinding } from "@lydian/worker";

export { type Finding, type FindingState, type HostFinding, missing, ok, warning } from "@lydian/worker";

/** Finds one thing under its own name, or several under theirs. */
export interface Check {
  readonly name: string;
  run(): Promise<Finding | readonly HostFinding[]>;
}
