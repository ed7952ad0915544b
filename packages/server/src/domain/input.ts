/**
 * An input: one set of arguments on its way through queue and container to an output. `step` is the whole table of its
 * states: what each event makes of it.
 */
import type { DataFormat } from "@lydian/contract";
import type { Id } from "@lydian/kit";

import { type RetryPolicy, retryDelayMs } from "./retry.ts";

/** `delayed` waits for its next attempt's time. */
export type InputState = "queued" | "claimed" | "delayed" | "done";

export interface Input {
  id: Id<"in">;
  callId: Id<"fc">;
  functionId: Id<"fu">;
  /** Position in the call. */
  index: number;
  state: InputState;
  /** The wire's FunctionInput, as the client sent it; empty once the input has succeeded. */
  payload: Uint8Array;
  /** Of a class; empty for a plain function. */
  method: string;
  /** How often it was claimed; with the container's id, the fence of an output. */
  attempt: number;
  /** Attempts that its own code failed, which the retry policy counts. */
  failures: number;
  /** In how many containers it was when they crashed. */
  crashes: number;
  /** Who claimed it; a container's id is never used again. */
  containerId: Id<"ta"> | undefined;
  claimedAt: number | undefined;
  /** Since when it waits to be claimed. */
  queuedAt: number;
  /** When it is queued again; set while delayed. */
  dueAt: number | undefined;
  /** Set while its container is asked to stop it: what it will then have ended with. */
  ending: Ending | undefined;
}

/** Why an input has no value: decided by the platform, not by the user's code. */
export interface Failure {
  status: "failure" | "terminated" | "timeout" | "initFailure";
  /** For people: what happened, to what, what to do. */
  message: string;
}

export interface Ending extends Failure {
  since: number;
  /** Its code is only asked to end: however long that takes, its container is not ended for it. */
  sparesContainer?: boolean;
}

export interface Output {
  /** Grows with every output; what "after this one" means to a waiting client. */
  entry: number;
  callId: Id<"fc">;
  inputId: Id<"in">;
  index: number;
  /** The wire's GenericResult. */
  result: Uint8Array;
  /** The wire's DataFormat. */
  dataFormat: DataFormat;
  containerId: Id<"ta"> | undefined;
  startedAt: number | undefined;
  createdAt: number;
}

/** What makes the platform give up on a function or an input whose containers crash. */
export interface CrashPolicy {
  /** This many crashes in a row without a finished input fail all that waits; only of apps that live by heartbeat. */
  streak: number;
  /** An input that was in this many crashed containers fails by itself; not of a deployed app. */
  perInput: number;
}

export const defaultCrashPolicy: CrashPolicy = { streak: 3, perInput: 3 };

export type InputEvent =
  | { kind: "claim"; containerId: Id<"ta"> }
  /** Its container says how the attempt went. */
  | { kind: "report"; containerId: string; attempt: number; outcome: Outcome; retry: RetryPolicy }
  /** Its container has not begun with it, and will not. */
  | { kind: "giveBack"; containerId: string; attempt: number }
  /** Its container is gone. `crashed`: and this input may be to blame. */
  | {
      kind: "lose";
      functionName: string;
      crashed: boolean;
      reason: string;
      crash: CrashPolicy;
      retry: RetryPolicy;
      repeatable: boolean;
    }
  /** Its container is to stop it. */
  | { kind: "stop"; failure: Failure; sparesContainer?: boolean }
  /** Its container was asked to stop it and has not. */
  | { kind: "giveUp"; retry: RetryPolicy }
  /** Its delay may be over. */
  | { kind: "wake" }
  /** Whatever it is at, it ends now: with this failure, or with what somebody else reported. */
  | { kind: "fail"; failure: Failure | "asReported" };

/**
 * How a container says that an attempt went. `interrupted` means that it was stopped for the sake of another input of
 * its batch.
 */
export type Outcome = "success" | "failure" | "terminated" | "interrupted";

/** What an event makes of an input: its next state and, when that is `done`, what it ends with. */
export type Step = { next: Input } | { next: Input; ends: "asReported" | Failure };

/** The table. Undefined where an event changes nothing: it comes too late, twice, or from a stranger. */
export function step(input: Input, event: InputEvent, now: number): Step | undefined {
  switch (event.kind) {
    case "claim":
      return input.state === "queued" ? { next: claimed(input, event.containerId, now) } : undefined;
    case "report":
      return holds(input, event) ? reported(input, event, now) : undefined;
    case "giveBack":
      return holds(input, event) ? givenBack(input, now) : undefined;
    case "lose":
      return input.state === "claimed" ? lost(input, event, now) : undefined;
    case "stop":
      return stopped(input, event, now);
    case "giveUp":
      return input.state === "claimed" && input.ending ? ended(input, input.ending, event.retry, now) : undefined;
    case "wake":
      return input.state === "delayed" && (input.dueAt ?? 0) <= now ? { next: queued(input, now) } : undefined;
    case "fail":
      return input.state === "done" ? undefined : { next: done(input), ends: event.failure };
  }
}

function holds(input: Input, { containerId, attempt }: { containerId: string; attempt: number }): boolean {
  return input.state === "claimed" && input.containerId === containerId && input.attempt === attempt;
}

function reported(input: Input, event: Extract<InputEvent, { kind: "report" }>, now: number): Step {
  if (event.outcome === "success") return { next: done(input), ends: "asReported" };
  if (input.ending !== undefined) return ended(input, input.ending, event.retry, now);
  if (event.outcome === "interrupted") return { next: queued(input, now) };
  if (event.outcome === "terminated") return { next: done(input), ends: "asReported" };
  return retried(input, event.retry, now) ?? { next: done(input), ends: "asReported" };
}

/** It cannot have run for too long, whatever was thought of it; a caller's wish to stop it is met. */
function givenBack(input: Input, now: number): Step {
  const isUnwanted = input.ending?.status === "terminated";
  return isUnwanted ? { next: done(input), ends: input.ending as Failure } : { next: queued(input, now) };
}

function lost(input: Input, event: Extract<InputEvent, { kind: "lose" }>, now: number): Step {
  if (input.ending !== undefined) return ended(input, input.ending, event.retry, now);
  const crashes = input.crashes + (event.crashed ? 1 : 0);
  if (!event.repeatable) {
    const message = `The container that ran this input ${event.reason}.`;
    return { next: { ...done(input), crashes }, ends: { status: "failure", message } };
  }
  if (crashes < event.crash.perInput) return { next: { ...queued(input, now), crashes } };
  const message = `Gave up after ${crashes} containers crashed while they ran this input of "${event.functionName}"; the last one ${event.reason}.`;
  return { next: { ...done(input), crashes }, ends: { status: "failure", message } };
}

/** What no container has ends at once; what one has is asked for, and a caller's wish wins over a timeout. */
function stopped(
  input: Input,
  { failure, sparesContainer }: Extract<InputEvent, { kind: "stop" }>,
  now: number,
): Step | undefined {
  if (input.state === "done") return undefined;
  if (input.state !== "claimed") {
    return failure.status === "terminated" ? { next: done(input), ends: failure } : undefined;
  }
  const { ending: before } = input;
  const isMilder = before?.sparesContainer === true && sparesContainer !== true; // than what is wanted now
  if (before !== undefined && !isMilder && (before.status === "terminated" || failure.status !== "terminated")) {
    return undefined;
  }
  const since = before === undefined || isMilder ? now : before.since;
  return { next: { ...input, ending: { ...failure, since, ...(sparesContainer && { sparesContainer }) } } };
}

/** An attempt that was stopped has ended: a timeout is a failure that the retry policy counts. */
function ended(input: Input, { status, message }: Failure, retry: RetryPolicy, now: number): Step {
  const again = status === "timeout" ? retried(input, retry, now) : undefined;
  return again ?? { next: done(input), ends: { status, message } };
}

function retried(input: Input, policy: RetryPolicy, now: number): Step | undefined {
  if (input.failures >= policy.retries) return undefined;
  const failures = input.failures + 1;
  const dueAt = now + retryDelayMs(policy, failures);
  return { next: { ...unclaimed(input), state: "delayed", failures, dueAt } };
}

function claimed(input: Input, containerId: Id<"ta">, now: number): Input {
  return { ...input, state: "claimed", attempt: input.attempt + 1, containerId, claimedAt: now };
}

function queued(input: Input, now: number): Input {
  return { ...unclaimed(input), state: "queued", queuedAt: now };
}

/** Keeps who had it last and since when, which its output says. */
function done(input: Input): Input {
  return { ...input, state: "done", dueAt: undefined, ending: undefined };
}

function unclaimed(input: Input): Input {
  return { ...input, containerId: undefined, claimedAt: undefined, dueAt: undefined, ending: undefined };
}
