/**
 * An image: what it is made of, and how far that is. `step` is the whole table of its states: what each event makes of it.
 */
import type { Id } from "@lydian/kit";

import type { Failure } from "./input.ts";
import type { MountedVolume } from "./volume.ts";

/** `idle`: nobody waits for it, and it is not there. */
export type ImageState = "idle" | "wanted" | "building" | "built" | "failed";

export interface Image {
  id: Id<"im">;
  /** What makes two requests the same image; empty for one that nobody else is to find. */
  key: string;
  builderVersion: string;
  recipe: Recipe;
  /** Its next build runs all of its own steps again. */
  force: boolean;
  state: ImageState;
  /** Since when it is in this state; of those that are wanted, the order in which their turn comes. */
  since: number;
  /** How often its builds were lost since it was wanted. */
  losses: number;
  /** Who builds it, and the token of that assignment; empty unless it is building. */
  workerId: string;
  fence: string;
  /** What it is like, since it was built for the first time. */
  built: BuiltImage | undefined;
  /** Why it is `failed`. */
  failure: Failure | undefined;
  /** Where in its log the present try to make it begins. */
  logFrom: string;
}

/** What the steps are, and all that they read. */
export interface Recipe {
  /** Of a Dockerfile. */
  lines: readonly string[];
  /** Image ids, by the names that they have in the lines. */
  bases: Readonly<Record<string, string>>;
  /** What COPY reads; empty for nothing. */
  contextManifestSha256: string;
  /** Instead: a tree that workers bring themselves. */
  contextName: string;
  /** Beside either of them; kept as content. */
  contextFiles: readonly { path: string; sha256: string }[];
  buildArgs: Readonly<Record<string, string>>;
  /** Whose values are the steps' environment. Requests with other ids of equal secrets are the same image. */
  secretIds: readonly string[];
  /** What stands for the secrets' values. */
  secretsIdentity: string;
  registry: RegistryLogin | undefined;
  /** What steps mount; absent for nothing. Where a function is called, they do not tell one image from another. */
  volumes?: readonly MountedVolume[];
  /** Instead of lines: a function that is called. */
  called?: BuildFunction | undefined;
}

export interface BuildFunction {
  name: string;
  /** What it is called for: equal ones are the same step, whatever else may differ in how they are called. */
  identity: string;
  /** How it is called; kept as content. */
  sha256: string;
  /** How long its call may take, in milliseconds. */
  mostMs: number;
}

/** Where the credentials for the registry are, and in which form. */
export interface RegistryLogin {
  kind: "static" | "aws" | "gcp";
  secretId: string;
}

export interface BuiltImage {
  /** Such as "3.12.4"; empty when it has none. */
  python: string;
  /** Such as "glibc 2.36"; empty when it cannot be told. */
  libc: string;
  workdir: string;
}

/** How a build ended. */
export type Outcome =
  | { kind: "built"; built: BuiltImage }
  | { kind: "failed"; failure: Failure }
  /** By no fault of its own, as far as is known. */
  | { kind: "lost"; reason: string };

export type ImageEvent =
  /** Somebody waits for it. */
  | { kind: "want"; logFrom: string }
  /** It was built, and no worker has it any more. */
  | { kind: "miss"; logFrom: string }
  /** Nobody waits for it any more. */
  | { kind: "unwant" }
  | { kind: "assign"; workerId: string; fence: string }
  /** Its worker says so. */
  | { kind: "end"; fence: string; outcome: Outcome }
  /** Its build takes too long. */
  | { kind: "expire"; failure: Failure };

/** So many lost builds are the image's fault. */
export const mostLosses = 3;

/** The table. Undefined where an event changes nothing: it comes too late, twice, or from a stranger. */
export function step(image: Image, event: ImageEvent, now: number): Image | undefined {
  const { state } = image;
  switch (event.kind) {
    case "want":
      return state === "idle" || state === "failed" ? wanted(image, event.logFrom, now) : undefined;
    case "miss":
      return state === "built" ? wanted(image, event.logFrom, now) : undefined;
    case "unwant":
      return isUnderWay(state) ? moved(image, "idle", now) : undefined;
    case "assign":
      return state === "wanted" ? building(image, event, now) : undefined;
    case "end":
      return state === "building" && image.fence === event.fence ? ended(image, event.outcome, now) : undefined;
    case "expire":
      return state === "building" ? ended(image, { kind: "failed", failure: event.failure }, now) : undefined;
  }
}

export function isUnderWay(state: ImageState): boolean {
  return state === "wanted" || state === "building";
}

function moved(image: Image, state: ImageState, now: number): Image {
  return { ...image, state, since: now, workerId: "", fence: "", failure: undefined };
}

function wanted(image: Image, logFrom: string, now: number): Image {
  return { ...moved(image, "wanted", now), losses: 0, logFrom };
}

function building(image: Image, { workerId, fence }: { workerId: string; fence: string }, now: number): Image {
  return { ...moved(image, "building", now), workerId, fence };
}

function ended(image: Image, outcome: Outcome, now: number): Image {
  switch (outcome.kind) {
    case "built":
      return { ...moved(image, "built", now), built: outcome.built, force: false };
    case "failed":
      return { ...moved(image, "failed", now), failure: outcome.failure };
    case "lost": {
      const losses = image.losses + 1;
      if (losses < mostLosses) return { ...moved(image, "wanted", now), losses };
      const message = `Gave up after ${losses} builds were lost; the last one: ${outcome.reason}.`;
      return { ...moved(image, "failed", now), losses, failure: { status: "failure", message } };
    }
  }
}

/** The minor version that containers run with, such as "3.11"; empty when there is no Python in it. */
export function pythonMinor({ built }: Pick<Image, "built">): string {
  return built?.python.split(".").slice(0, 2).join(".") ?? "";
}
