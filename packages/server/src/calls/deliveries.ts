/**
 * Which inputs are known to have reached their container. Kept in memory alone: after a restart nothing is known to
 * have arrived, so what a container holds is handed to it again, which the clients' containers take without harm.
 */
import type { Id } from "@lydian/kit";

import type { Call } from "../domain/call.ts";
import type { Input } from "../domain/input.ts";

/** One request for inputs; a repetition after a lost reply has the same key. */
export interface Poll {
  readonly caller: { readonly id: string };
  readonly idempotencyKey: string | undefined;
  readonly signal: AbortSignal;
}

interface Known {
  /** With the shapes of their calls. */
  received: Map<string, Call["shape"]>;
  /** Attempts that it was told to stop. */
  stopped: Set<string>;
  last: { key: string | undefined; inputIds: readonly string[] } | undefined;
  functionId?: string;
}

type Received = Pick<ReadonlyMap<string, unknown>, "has" | "keys">;

const nothing: Received = new Map();

export class Deliveries {
  readonly #containers = new Map<string, Known>();

  /**
   * What the container has, judged by the fact that it asks: a repeated request means that the last reply was lost; a
   * container with one slot that asks has nothing at all.
   */
  before(poll: Poll, slots: number): Received {
    const known = this.#containers.get(poll.caller.id);
    if (known === undefined || slots <= 1) return nothing;
    if (poll.idempotencyKey !== undefined && known.last?.key === poll.idempotencyKey) {
      for (const id of known.last.inputIds) known.received.delete(id);
    }
    return known.received;
  }

  /** Whose inputs the container takes, once it was said that it takes some. */
  functionOf(containerId: string): string | undefined {
    return this.#containers.get(containerId)?.functionId;
  }

  begins(containerId: string, functionId: string): void {
    this.#known(containerId).functionId = functionId;
  }

  /** The reply is on its way, unless the container hung up meanwhile. */
  sent(poll: Poll, inputs: readonly { id: Id<"in">; shape: Call["shape"] }[]): void {
    if (poll.signal.aborted) return;
    const known = this.#known(poll.caller.id);
    for (const { id, shape } of inputs) known.received.set(id, shape);
    known.last = { key: poll.idempotencyKey, inputIds: inputs.map(({ id }) => id) };
  }

  /** How many it is known to have. */
  count(containerId: string): number {
    return this.#containers.get(containerId)?.received.size ?? 0;
  }

  /** Whether all of these are known to be web requests, of which the container has been told. */
  areOfWeb(containerId: string, inputIds: readonly string[]): boolean {
    const received = this.#containers.get(containerId)?.received;
    return inputIds.every((id) => received?.get(id) === "web");
  }

  /** The inputs among these that the container has not been told to stop yet; from now on it has. */
  tellToStop(containerId: string, inputs: readonly Pick<Input, "id" | "attempt">[]): string[] {
    if (inputs.length === 0) return [];
    const { stopped } = this.#known(containerId);
    const untold = inputs.filter(({ id, attempt }) => !stopped.has(`${id} ${attempt}`));
    for (const { id, attempt } of untold) stopped.add(`${id} ${attempt}`);
    return untold.map(({ id }) => id);
  }

  finished(containerId: string, inputIds: readonly string[]): void {
    const known = this.#containers.get(containerId);
    for (const id of inputIds) known?.received.delete(id);
  }

  /** The container is gone. */
  forget(containerId: string): void {
    this.#containers.delete(containerId);
  }

  #known(containerId: string): Known {
    const known = this.#containers.get(containerId) ?? { received: new Map(), stopped: new Set(), last: undefined };
    this.#containers.set(containerId, known);
    return known;
  }
}
