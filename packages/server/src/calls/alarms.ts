/**
 * What happens to inputs at a moment in time: a delayed one is queued again, one that its container was asked to stop and
 * has not is given up, with the container, and what was too much to be ended at once is ended by and by.
 */
import { type Bells, type Clock, type Logger, type NewId, sleep, type Timer } from "@lydian/kit";

import { finishStop } from "../apps/stop.ts";
import type { Times } from "../config.ts";
import { drain } from "../containers/begin.ts";
import { alarmsBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import { noRetries } from "../domain/retry.ts";
import type { Store, Tx } from "../domain/store.ts";
import { goOn, portion } from "./sweep.ts";
import { transition } from "./transition.ts";

/** No look is ever later than this after the one before: a guard against a moment that was miscounted. */
const longestPauseMs = 60_000;

/** Between a look that failed and the next try. */
const errorPauseMs = 1_000;

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
  readonly #closing = new AbortController();
  #timer: Timer | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(deps: AlarmsDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
    this.#timer?.[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    const { bells, clock, log } = this.#deps;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await bells.until([alarmsBell], () => this.#look(), { clock, waitMs: longestPauseMs, signal });
      } catch (error) {
        if (signal.aborted) return;
        log.error({ err: error }, "inputs whose moment has come could not be looked at");
        await sleep(clock, errorPauseMs, signal).catch(() => {}); // closing: the loop ends
      }
    }
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
    const overAt = ending.map((input) => ({ id: input.id, at: (input.ending?.since ?? 0) + times.stopGrace }));
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
    this.#setTimer(Math.min(...moments));
  }

  #setTimer(at: number): void {
    this.#timer?.[Symbol.dispose]();
    const { clock, bells } = this.#deps;
    const delayMs = Math.max(0, at - clock.now());
    if (delayMs < longestPauseMs) this.#timer = clock.timer(delayMs, () => bells.ring(alarmsBell));
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
  const retry = (await tx.functions.demand(functionId))?.policy.retry ?? noRetries;
  await transition(tx, input, { kind: "giveUp", retry }, context);
  if (containerId !== undefined) await drain(tx, containerId, context.now);
}
