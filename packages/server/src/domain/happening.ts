/** What has happened, for whoever counts it or follows it: told when, and only when, the unit of work that made it is committed. */
import type { Call } from "./call.ts";
import type { Container, ExitReason } from "./container.ts";
import type { Failure, Input } from "./input.ts";
import type { PastRequest } from "./statistics.ts";

export type Happening =
  | { readonly kind: "inputsQueued"; readonly count: number }
  | InputEnded
  | { readonly kind: "inputDelayed" }
  | { readonly kind: "containerReady"; readonly container: Container; readonly readyAt: number }
  | ContainerGone
  | ContainerUsed
  | RequestEnded
  | RequestAnswered
  | { readonly kind: "volumeCommitted"; readonly volumeId: string; readonly number: number };

/** An input has its output. */
export interface InputEnded {
  readonly kind: "inputEnded";
  readonly input: Input;
  /** As it then is. */
  readonly call: Call;
  readonly status: "success" | Failure["status"];
  /** When its code began, if it ever did. */
  readonly startedAt: number | undefined;
  readonly endedAt: number;
}

export interface ContainerGone {
  readonly kind: "containerGone";
  readonly container: Container;
  readonly reason: ExitReason;
  /** It crashed, or ended before it was ready. */
  readonly isError: boolean;
  readonly at: number;
}

/** What a container has used within some time. */
export interface ContainerUsed {
  readonly kind: "containerUsed";
  readonly functionId: string;
  readonly containerId: string;
  /** The end of that time. */
  readonly at: number;
  /** On the average. */
  readonly milliCpu: number;
  readonly memoryMib: number;
}

/** A container is done with a request that is in no database. */
export interface RequestEnded {
  readonly kind: "requestEnded";
  readonly functionId: string;
  readonly containerId: string;
  readonly callId: string;
  /** Of a class; empty for a plain function. */
  readonly method: string;
  readonly status: InputEnded["status"];
  readonly queuedAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

/** The caller of a server (`app.server`) has its answer, or has left. */
export interface RequestAnswered {
  readonly kind: "requestAnswered";
  readonly request: PastRequest;
}

/** Must be quick, and must not throw: the store's next unit waits for it. */
export type Hear = (happening: Happening) => void;
