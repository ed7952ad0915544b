/** Has inputs stopped that run longer than their function's timeout. */
import { type Clock, Leases, type Logger, type NewId } from "@lydian/kit";

import type { Store, Tx } from "../domain/store.ts";
import { transition } from "./transition.ts";

interface Running {
  id: string;
  claimedAt: number | undefined;
  timeoutMs: number;
}

export class Timeouts {
  readonly #deps: { store: Store; clock: Clock; newId: NewId; log: Logger };
  readonly #leases: Leases;

  constructor(deps: { store: Store; clock: Clock; newId: NewId; log: Logger }) {
    this.#deps = deps;
    this.#leases = new Leases(deps.clock, (inputId) => void this.#expired(inputId));
  }

  /** Goes on with what ran before a restart. */
  async start(): Promise<void> {
    const running = await this.#deps.store.read(async (tx) => {
      const inputs = await tx.inputs.claimed();
      return Promise.all(inputs.map(async (input) => ({ ...input, timeoutMs: await timeoutOf(tx, input.functionId) })));
    });
    for (const input of running) this.watch(input);
  }

  close(): void {
    this.#leases[Symbol.dispose]();
  }

  /** From the moment that it was claimed; watched again after a new claim, it has its whole time again. */
  watch({ id, claimedAt, timeoutMs }: Running): void {
    const { clock } = this.#deps;
    this.#leases.renew(id, (claimedAt ?? clock.now()) + timeoutMs - clock.now());
  }

  finished(inputId: string): void {
    this.#leases.drop(inputId);
  }

  async #expired(inputId: string): Promise<void> {
    const { store, log } = this.#deps;
    try {
      await store.write((tx) => this.#end(tx, inputId));
    } catch (error) {
      log.error({ err: error, input: inputId }, "an input could not be ended at its timeout");
      this.#leases.renew(inputId, 1_000);
    }
  }

  async #end(tx: Tx, inputId: string): Promise<void> {
    const { clock, newId } = this.#deps;
    const now = clock.now();
    const input = await tx.inputs.get(inputId);
    if (input?.state !== "claimed" || input.containerId === undefined || input.claimedAt === undefined) return;
    const timeoutMs = await timeoutOf(tx, input.functionId);
    if (input.claimedAt + timeoutMs > now) return this.watch({ ...input, timeoutMs }); // claimed anew meanwhile
    const message = `The input ran longer than the function's timeout of ${timeoutMs / 1000} s.`;
    await transition(tx, input, { kind: "stop", failure: { status: "timeout", message } }, { now, newId });
  }
}

async function timeoutOf(tx: Tx, functionId: string): Promise<number> {
  const terms = await tx.functions.terms(functionId);
  if (terms === undefined) throw new Error(`function ${functionId} is missing`);
  return terms.policy.timeoutMs;
}
