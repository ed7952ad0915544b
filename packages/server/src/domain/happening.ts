/** What has happened, for whoever counts it or follows it: told when, and only when, the unit of work that made it is committed. */
import type { Call } from "./call.ts";
import type { Container, ExitReason } from "./container.ts";
import type { Failure, Input } from "./input.ts";

export type Happening =
  | { readonly kind: "inputsQueued"; readonly count: number }
  | InputEnded
  | { readonly kind: "inputDelayed" }
  | { readonly kind: "containerReady"; readonly container: Container; readonly readyAt: number }
  | { readonly kind: "containerGone"; readonly reason: ExitReason }
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

/** Must be quick, and must not throw: the store's next unit waits for it. */
export type Hear = (happening: Happening) => void;
