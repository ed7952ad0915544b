/** Which input the running code belongs to, inside of a container. */
import { AsyncLocalStorage } from "node:async_hooks";

export interface InputContext {
  readonly inputId: string;
  readonly functionCallId: string;
  /** Aborts when the input is cancelled, has run for too long, or the container ends. */
  readonly signal: AbortSignal;
  /** Ends the input with what something of it threw that nobody waits for. */
  readonly fail: (error: unknown) => void;
}

export const inputContext = new AsyncLocalStorage<InputContext>();

/** Whether this code runs on the machine of its author, and not in a container. */
export function isLocal(): boolean {
  return process.env["MODAL_IS_REMOTE"] !== "1";
}

/** The id of the input that this code runs for; undefined outside of one. */
export function currentInputId(): string | undefined {
  return inputContext.getStore()?.inputId;
}

/** The id of the call that the input belongs to; undefined outside of one. */
export function currentFunctionCallId(): string | undefined {
  return inputContext.getStore()?.functionCallId;
}

const never = new AbortController().signal;

/**
 * Aborts when the input is cancelled, when it runs for longer than its function's `timeout` (its reason is then a
 * TimeoutError), and when the container ends. Outside of an input it never does.
 */
export function currentSignal(): AbortSignal {
  return inputContext.getStore()?.signal ?? never;
}
