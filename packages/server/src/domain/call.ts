/** A call: one or many inputs of a function, and the outputs that somebody waits for. */
import type { Id } from "@lydian/kit";

/** `open` takes inputs, `closed` has all that it will get, `finished` has an output for each. */
export type CallState = "open" | "closed" | "finished";

export interface Call {
  id: Id<"fc">;
  functionId: Id<"fu">;
  appId: Id<"ap">;
  state: CallState;
  /** `unary` has one input, known from the start; `web` is one, too, and answers an HTTP request that is open meanwhile. */
  shape: "unary" | "map" | "web";
  /** Whether the caller waits (`sync`) or asks later (`async`). */
  invocation: "sync" | "async";
  /** The input whose code made this call; empty when no container did. */
  parentInputId: string;
  inputs: number;
  /** Inputs without an output. */
  unfinished: number;
  /** Inputs that ended without a value. */
  failed: number;
  createdAt: number;
  finishedAt: number | undefined;
  /** When the caller said that it has the outputs; they are forgotten soon after. */
  acknowledgedAt: number | undefined;
}

/** The state after `unfinished` changed. */
export function settled(call: Pick<Call, "state" | "unfinished">): CallState {
  return call.state === "closed" && call.unfinished === 0 ? "finished" : call.state;
}

/** How a call stands, for people. */
export type CallOutcome = "open" | "succeeded" | "failed";

export function outcomeOf(call: Pick<Call, "state" | "failed">): CallOutcome {
  return call.state !== "finished" ? "open" : call.failed > 0 ? "failed" : "succeeded";
}
