/** A secret: environment variables that containers get, kept encrypted. */
import type { Id } from "@lydian/kit";

/**
 * `named` is found and listed by its name; `anonymous` ends with the functions that use it; `deleted` has no values any
 * more, and is there only so that errors of functions that still ask for it can name it.
 */
export type SecretState = "named" | "anonymous" | "deleted";

/** What is known of a secret without a key. */
export interface SecretFacts {
  id: Id<"st">;
  environmentId: Id<"en">;
  state: SecretState;
  /** Empty unless it has, or had, one. */
  name: string;
  /** Whose it is when it is anonymous; undefined where a client made it outside of any app. */
  appId: string | undefined;
  /** Grows with every change of a value. */
  version: number;
  createdAt: number;
  createdBy: string;
  /** When a container or a build last got it. */
  lastUsedAt: number | undefined;
}

export interface Secret extends SecretFacts {
  /** Names of its variables. */
  keys: readonly string[];
  /** Which master key it is encrypted under. */
  keyId: string;
  sealed: Uint8Array;
  /** The same for the same values under the same master key, and says nothing about them without it; of anonymous ones. */
  fingerprint: string;
}
