/** A deployment: one version of an app, with all that is needed to put it into effect again. */
import type { AppLayout } from "./app.ts";

/**
 * `standard` came from a client's code; `rollback` and `promotion` are an earlier version anew, `rollover` the same one with
 * new containers. `staged` was made and is not in effect until it is promoted.
 */
export type DeploymentKind = "standard" | "rollback" | "rollover" | "promotion" | "staged";

export interface Deployment {
  appId: string;
  /** Counts an app's deployments from 1. */
  version: number;
  kind: DeploymentKind;
  /** The version that it is anew; 0 for none. */
  madeFrom: number;
  /** Milliseconds since the epoch. */
  deployedAt: number;
  deployedBy: string;
  clientVersion: string;
  /** As given to `modal deploy --tag`; empty for none. */
  tag: string;
  /** The wire's CommitInfo of the source, serialized; empty for none. */
  revision: Uint8Array;
  /** What its functions were is still there, so that it can be put into effect again. */
  isKept: boolean;
  layout: AppLayout;
  /** Which definition each function has: ids by the functions' ids. */
  definitions: Readonly<Record<string, string>>;
}
