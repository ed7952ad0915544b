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

export interface Secrets {
  /** Inserts or replaces. */
  put(secret: Secret): Promise<void>;
  get(id: string): Promise<Secret | undefined>;
  named(environmentId: string, name: string): Promise<Secret | undefined>;
  /** The named ones of an environment that were made before this time, the newest first. */
  newest(environmentId: string, before: number, limit: number): Promise<Secret[]>;
  /** Those that are not deleted, in order of their ids, after this one. */
  after(id: string, limit: number): Promise<Secret[]>;
  setUsed(ids: readonly string[], now: number): Promise<void>;
  /** What a function, or one of its definitions that are kept, asks for, in place of what it asked for before. */
  setUses(functionId: string, ids: readonly string[]): Promise<void>;
  /** What it asks for now. */
  usesOf(functionId: string): Promise<string[]>;
  /** The app's functions use nothing any more; its secrets that nobody else uses go. */
  leave(appId: string): Promise<void>;
  /**
   * Those without a name, made before this time, that no function uses and that no app's client may still mean to.
   * Answers how many.
   */
  forget(before: number, limit: number): Promise<number>;
}
