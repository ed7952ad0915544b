/**
 * What happens to inputs at a moment in time: a delayed one is queued again, one that its container was asked to stop and
 * has not is given up, with the container.
 */
import { type Bells, type Clock, type Logger, Lookout, type NewId } from "@lydian/kit";

import type { Times } from "../config.ts";
import { drain } from "../containers/begin.ts";
import { alarmsBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import { noRetries } from "../domain/retry.ts";
import type { Store, Tx } from "../domain/store.ts";
import { portion } from "../sweeps/portion.ts";
import { transition } from "./transition.ts";

export interface AlarmsDeps {
  store: Store;
  bells: Bells;
  clock: Clock;
  newId: NewId;
  times: Times;
  log: Logger;
}

export class Alarms {
  readonly #deps: AlarmsDeps;
  readonly #lookout: Lookout;

  constructor(deps: AlarmsDeps) {
    this.#deps = deps;
    const onFailure = (error: unknown): void =>
      deps.log.error({ err: error }, "inputs whose moment has come could not be looked at");
    this.#lookout = new Lookout({ ...deps, bell: alarmsBell, look: () => this.#look(), onFailure });
  }

  start(): void {
    this.#lookout.start();
  }

  async close(): Promise<void> {
    await this.#lookout.close();
  }

  /** Never answers anything, so that `until` goes on looking. */
  async #look(): Promise<undefined> {
    const { store, clock, newId, times } = this.#deps;
    const context: Context = { now: clock.now(), newId };
    const { due, ending, nextDue } = await store.read(async (tx) => ({
      due: await tx.inputs.due(context.now, portion),
      ending: await tx.inputs.ending(),
      nextDue: await tx.inputs.nextDue(),
    }));
    const overAt = ending
      .filter(({ ending: how }) => how?.sparesContainer !== true)
      .map((input) => ({ id: input.id, at: (input.ending?.since ?? 0) + times.stopGrace }));
    const over = overAt.filter(({ at }) => at <= context.now);
    if (due.length + over.length > 0) {
      await store.write(async (tx) => {
        for (const { id } of due) await wakeUp(tx, id, context);
        for (const { id } of over) await giveUp(tx, id, context);
      });
    }
    const later = overAt.map(({ at }) => at).filter((at) => at > context.now);
    this.#lookout.setAlarm(Math.min(...later, ...(nextDue === undefined ? [] : [nextDue])));
    return undefined;
  }
}

async function wakeUp(tx: Tx, inputId: string, context: Context): Promise<void> {
  const input = await tx.inputs.get(inputId);
  if (input !== undefined) await transition(tx, input, { kind: "wake" }, context);
}

/** Its code holds the interpreter and hears nothing: only the container's end surely ends it. */
async function giveUp(tx: Tx, inputId: string, context: Context): Promise<void> {
  const input = await tx.inputs.get(inputId);
  if (input?.ending === undefined) return;
  const { containerId, functionId } = input;
  const retry = (await tx.functions.terms(functionId))?.policy.retry ?? noRetries;
  await transition(tx, input, { kind: "giveUp", retry }, context);
  if (containerId !== undefined) await drain(tx, containerId, context.now);
}
