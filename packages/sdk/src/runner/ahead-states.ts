/** What a container's loop and the thread beside it share of inputs that wait: whether each is begun, given back, or still waits. */
import type { FunctionGetInputsItem } from "@lydian/contract";

/** Inputs that wait at a time at most. */
export const mostAhead = 48;

export type AheadInput = Pick<FunctionGetInputsItem, "inputId" | "retryCount">;

/** Inputs that have come together. */
export interface HeldAhead {
  /** Its number: of an earlier one no input waits any more. */
  readonly batch: number;
  readonly inputs: readonly AheadInput[];
}

/** The first number counts inputs that have begun; each other one is the state of an input, by its place. */
export function newStates(): Int32Array {
  return new Int32Array(new SharedArrayBuffer((1 + mostAhead) * Int32Array.BYTES_PER_ELEMENT));
}

/** The state of an input of this batch that waits; with any other one it does not. */
export const waits = (batch: number): number => 2 * batch;

export function stillWait(states: Int32Array, { batch, inputs }: HeldAhead): boolean {
  return inputs.some((_, at) => Atomics.load(states, at + 1) === waits(batch));
}

/** Whoever gets true begins it, or gives it back; nobody else does. */
export function takeOne(states: Int32Array, batch: number, at: number): boolean {
  return Atomics.compareExchange(states, at + 1, waits(batch), waits(batch) + 1) === waits(batch);
}
