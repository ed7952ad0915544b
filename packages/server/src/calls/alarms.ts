/**
 * What happens to inputs at a moment in time: a delayed one is queued again, one that its container was asked to stop and
 * has not is given up, with the container, and what was too much to be ended at once is ended by and by.
 */
import { type Bells, type Clock, type Logger, Lookout, type NewId } from "@lydian/kit";

import { finishStop } from "../apps/stop.ts";
import type { Times } from "../config.ts";
import { drain } from "../containers/begin.ts";
import { alarmsBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import { noRetries } from "../domain/retry.ts";
import type { Store, Tx } from "../domain/store.ts";
import { goOn, portion } from "./sweep.ts";
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
    const { due, ending, nextDue, sweep } = await store.read(async (tx) => ({
      due: await tx.inputs.due(context.now, portion),
      ending: await tx.inputs.ending(),
      nextDue: await tx.inputs.nextDue(),
      sweep: await tx.sweeps.first(),
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
    // What a power cut undoes of a sweep is done again.
    if (sweep !== undefined) await store.note((tx) => sweepOn(tx, context));
    const later = overAt.map(({ at }) => at).filter((at) => at > context.now);
    const moments = [
      ...later,
      ...(nextDue === undefined ? [] : [nextDue]),
      ...(sweep === undefined ? [] : [context.now]),
    ];
    this.#lookout.setAlarm(Math.min(...moments));
    return undefined;
  }
}

/** An app that stops has stopped when nothing of it is left. */
async function sweepOn(tx: Tx, context: Context): Promise<void> {
  const done = await goOn(tx, context);
  const target = done?.what === "fail" ? await tx.functions.target(done.target) : undefined;
  if (target !== undefined) await finishStop(tx, target.appId, context);
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
