/**
 * Calls functions when their moment has come. The row moves on in the unit of work that submits the call, so a death at
 * any moment neither loses a run nor makes two of it; what was due while nobody looked is made up for, once.
 */
import { type Bells, type Clock, type Logger, Lookout, type NewId } from "@lydian/kit";

import type { CallLimits } from "../calls/submit.ts";
import { schedulesBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import type { Schedule } from "../domain/schedule.ts";
import type { Store, Tx } from "../domain/store.ts";
import { ServerError } from "../errors.ts";
import type { Notice, Tell } from "../logs/log-book.ts";
import { resetFuture } from "./arrange.ts";
import { callScheduled, lastWaits } from "./call.ts";
import { nextRunsAfter } from "./next-run.ts";

/** Runs in one unit of work at most. */
const portion = 1_000;

/** A run that is later than this was missed, and its app's log says so; in milliseconds. */
const lateMs = 60_000;

export interface TimekeeperDeps {
  store: Store;
  bells: Bells;
  clock: Clock;
  newId: NewId;
  limits: CallLimits;
  log: Logger;
  tell: Tell;
}

export class Timekeeper {
  readonly #deps: TimekeeperDeps;
  readonly #lookout: Lookout;
  /** The time of the look before: a clock that shows less now has gone back. */
  #lastLook = Number.POSITIVE_INFINITY;

  constructor(deps: TimekeeperDeps) {
    this.#deps = deps;
    const onFailure = (error: unknown): void =>
      deps.log.error({ err: error }, "functions whose moment has come could not be called");
    this.#lookout = new Lookout({ ...deps, bell: schedulesBell, look: () => this.#look(), onFailure });
  }

  start(): void {
    this.#lookout.start();
  }

  async close(): Promise<void> {
    await this.#lookout.close();
  }

  /** Never answers anything, so that the lookout goes on. */
  async #look(): Promise<undefined> {
    const { store, clock, newId } = this.#deps;
    const context: Context = { now: clock.now(), newId };
    if (context.now < this.#lastLook) await store.write((tx) => resetFuture(tx, context));
    this.#lastLook = context.now;
    let nextDue = await store.read((tx) => tx.schedules.nextDue());
    if (nextDue !== undefined && nextDue <= context.now) {
      const notices = await store.write((tx) => this.#fireDue(tx, context));
      for (const { to, text } of notices) this.#deps.tell(to, `${text}\n`);
      nextDue = await store.read((tx) => tx.schedules.nextDue());
    }
    this.#lookout.setAlarm(nextDue ?? Number.POSITIVE_INFINITY);
    return undefined;
  }

  async #fireDue(tx: Tx, context: Context): Promise<Notice[]> {
    const notices: Notice[] = [];
    // After now, and not after the moment that each was due: however many have passed since, it was one run.
    const nextRun = nextRunsAfter(context.now);
    for (const schedule of await tx.schedules.due(context.now, portion)) {
      const nextAt = nextRun(schedule.rule, schedule.anchor);
      const text = await this.#fireOne(tx, schedule, nextAt, context);
      if (text !== undefined) notices.push({ to: { appId: schedule.appId, functionId: schedule.functionId }, text });
    }
    return notices;
  }

  /** Answers what the app's log should say of it. */
  async #fireOne(
    tx: Tx,
    schedule: Schedule,
    nextAt: number | undefined,
    context: Context,
  ): Promise<string | undefined> {
    const { now } = context;
    const run = `The run that was due at ${new Date(schedule.dueAt).toISOString()}`;
    let { last } = schedule;
    let notice = now - schedule.dueAt > lateMs ? `${run} was missed and is made up for now.` : undefined;
    // Another run beside it would only make the queue grow.
    if (await lastWaits(tx, schedule)) {
      notice = `${run} is left out: the one before has not begun yet (${last?.callId ?? ""}).`;
    } else {
      try {
        last = { dueAt: schedule.dueAt, callId: (await callScheduled(tx, schedule, this.#deps.limits, context)).id };
      } catch (error) {
        if (!(error instanceof ServerError)) throw error;
        notice = `${run} could not be queued: ${error.text}`;
      }
    }
    if (nextAt === undefined) await tx.schedules.remove(schedule.functionId);
    else await tx.schedules.advance(schedule.functionId, { dueAt: nextAt, setAt: now, last });
    return notice;
  }
}
