/** A deployment: one version of an app, with all that is needed to put it into effect again. */
import type { AppLayout } from "./app.ts";
import type { Edition } from "./function.ts";

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

/** Deployments of apps. */
export interface Deployments {
  /** Its definitions are kept from now on. */
  insert(deployment: Deployment): Promise<void>;
  get(appId: string, version: number): Promise<Deployment | undefined>;
  /** Those of an app, the newest first. */
  ofApp(appId: string, limit: number): Promise<Deployment[]>;
  /** What this version's functions were need not be kept for it any more. */
  drop(appId: string, version: number): Promise<void>;
  /** Versions before this one whose functions are kept. */
  keptBefore(appId: string, version: number): Promise<number[]>;
}

export interface Editions {
  put(edition: Edition): Promise<void>;
  get(definitionId: string): Promise<Edition | undefined>;
  /** All that are kept of an app. */
  ofApp(appId: string): Promise<Edition[]>;
  /** Those made before this time that no deployment keeps; answers how many. */
  forget(before: number, limit: number): Promise<number>;
}
