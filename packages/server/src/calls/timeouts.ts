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
  /** By input: those that its container begins one after the other, the one that runs first. */
  readonly #turns = new Map<string, Running[]>();

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
  watch(input: Running): void {
    this.#leaveTurn(input.id);
    this.#renew(input);
  }

  #renew({ id, claimedAt, timeoutMs }: Running): void {
    const { clock } = this.#deps;
    this.#leases.renew(id, (claimedAt ?? clock.now()) + timeoutMs - clock.now());
  }

  /** The container begins them in this order, each when the one before is finished. */
  watchInTurn(inputs: readonly Running[]): void {
    for (const input of inputs) this.watch(input);
    const turn = [...inputs];
    for (const { id } of turn) this.#turns.set(id, turn);
  }

  /** It is at an end, or at least with its container: of those in turn the next one begins. */
  finished(inputId: string): void {
    this.#leases.drop(inputId);
    this.#leaveTurn(inputId);
  }

  #leaveTurn(inputId: string): void {
    const turn = this.#turns.get(inputId);
    if (turn === undefined) return;
    this.#turns.delete(inputId);
    const at = turn.findIndex(({ id }) => id === inputId);
    turn.splice(at, 1);
    const [next] = turn;
    if (at === 0 && next !== undefined) this.#renew({ ...next, claimedAt: this.#deps.clock.now() });
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
    if (input?.state !== "claimed" || input.containerId === undefined || input.claimedAt === undefined)
      return this.#leaveTurn(inputId);
    const timeoutMs = await timeoutOf(tx, input.functionId);
    if (input.claimedAt + timeoutMs > now) return this.#renew({ ...input, timeoutMs }); // claimed anew meanwhile
    const hasBegun = (this.#turns.get(inputId)?.[0]?.id ?? inputId) === inputId;
    if (!hasBegun) return this.#renew({ ...input, claimedAt: now, timeoutMs });
    const name = (await tx.functions.get(input.functionId))?.name ?? "";
    const message = `The function "${name}" ran longer than its timeout of ${timeoutMs / 1000} s. Its option \`timeout\` says how long it may.`;
    await transition(tx, input, { kind: "stop", failure: { status: "timeout", message } }, { now, newId });
  }
}

async function timeoutOf(tx: Tx, functionId: string): Promise<number> {
  const terms = await tx.functions.terms(functionId);
  if (terms === undefined) throw new Error(`function ${functionId} is missing`);
  return terms.policy.timeoutMs;
}
