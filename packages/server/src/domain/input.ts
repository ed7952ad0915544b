/** An input: one set of arguments on its way through queue and container to an output. */
import type { DataFormat } from "@lydian/contract";
import type { Id } from "@lydian/kit";

export type InputState = "queued" | "claimed" | "done";

export interface Input {
  id: Id<"in">;
  callId: Id<"fc">;
  functionId: Id<"fu">;
  /** Position in the call. */
  index: number;
  state: InputState;
  /** The wire's FunctionInput, as the client sent it; empty once the input is done. */
  payload: Uint8Array;
  /** How often it was claimed. */
  attempt: number;
  /** In how many containers it was when they crashed. */
  crashes: number;
  /** Who claimed it: the fence, since a container's id is never used again. */
  containerId: Id<"ta"> | undefined;
  claimedAt: number | undefined;
}

/** Why an input has no value: decided by the platform, not by the user's code. */
export interface Failure {
  status: "failure" | "terminated" | "timeout" | "initFailure";
  /** For people: what happened, to what, what to do. */
  message: string;
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
  /** An input that was in this many crashed containers fails by itself. */
  perInput: number;
}

export const defaultCrashPolicy: CrashPolicy = { streak: 3, perInput: 3 };

/** What becomes of an input whose container is gone without its output. */
export function afterLoss(
  input: Pick<Input, "crashes">,
  end: { crashed: boolean; reason: string },
  policy: CrashPolicy,
): { state: "queued"; crashes: number } | { state: "done"; failure: Failure } {
  const crashes = input.crashes + (end.crashed ? 1 : 0);
  if (crashes >= policy.perInput) {
    const message = `Gave up after ${crashes} containers crashed while they ran this input; the last one ${end.reason}.`;
    return { state: "done", failure: { status: "failure", message } };
  }
  return { state: "queued", crashes };
}
