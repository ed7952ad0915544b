/** The one loop that acts: reads what is wanted and what there is, lets pure functions decide, and carries it out. */
import { type Bells, type Clock, type Logger, type NewId, type Timer, randomText } from "@lydian/kit";

import { drain } from "../containers/begin.ts";
import { isAlive } from "../domain/app.ts";
import { demandBell } from "../domain/bells.ts";
import type { Container } from "../domain/container.ts";
import type { Demand } from "../domain/function.ts";
import type { Store, Tx } from "../domain/store.ts";
import type { WorkerView } from "../domain/worker.ts";
import { type Scaling, autoscale } from "./autoscale.ts";
import { freeCapacity, place } from "./place.ts";

/** What the scheduler asks of the workers' sessions. Both are repeatable. */
export interface Hands {
  /** Workers that can be given containers now. */
  workers(): WorkerView[];
  assign(container: Container): void;
  stop(container: Container, reason: string): void;
}

export interface SchedulerDeps {
  store: Store;
  bells: Bells;
  clock: Clock;
  newId: NewId;
  hands: Hands;
  log: Logger;
}

/** No pass is ever later than this after the one before: a guard against a deadline that was miscounted. */
const longestPauseMs = 60_000;

interface View {
  demands: Demand[];
  containers: Container[];
}

export class Scheduler {
  readonly #deps: SchedulerDeps;
  readonly #closing = new AbortController();
  #alarm: Timer | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#alarm?.[Symbol.dispose]();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { bells, clock, log } = this.#deps;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await bells.until([demandBell], () => this.#pass(), { clock, waitMs: longestPauseMs, signal });
      } catch (error) {
        if (signal.aborted) return;
        log.error({ err: error }, "a scheduling pass failed");
        this.#setAlarm(clock.now() + 1_000);
      }
    }
  }

  /** Never answers anything, so that `until` goes on looking. */
  async #pass(): Promise<undefined> {
    const { store, clock, hands } = this.#deps;
    const now = clock.now();
    const view = await store.read(async (tx) => ({
      demands: await tx.functions.demands(),
      containers: await tx.containers.alive(),
    }));
    const overdue = stopOverdue(view, hands, now);
    const scalings = decide(view, now);
    const started = await this.#start(view, scalings);
    for (const container of started) hands.assign(container);
    const drained = scalings.flatMap(({ scaling }) => scaling.drain);
    if (drained.length > 0) {
      await store.write(async (tx) => {
        for (const { id } of drained) await drain(tx, id, now + drainForIdleMs);
        tx.ring(demandBell);
      });
    }
    this.#setAlarm(
      Math.min(overdue, ...scalings.map(({ scaling }) => scaling.lookAgainAt ?? Number.POSITIVE_INFINITY)),
    );
  }

  async #start(view: View, scalings: { demand: Demand; scaling: Scaling }[]): Promise<Container[]> {
    const { store, clock, newId, hands } = this.#deps;
    const requests = scalings.flatMap(({ demand, scaling: { start } }) =>
      Array.from({ length: start }, () => ({ ...demand, ...demand.policy })),
    );
    const placements = place(requests, freeCapacity(hands.workers(), view.containers));
    if (placements.length === 0) return [];
    const now = clock.now();
    return store.write(async (tx) => {
      const started: Container[] = [];
      for (const { request, workerId } of placements) {
        if (!(await isStillWanted(tx, request))) continue;
        const container = newContainer(request, workerId, { id: newId("ta"), now });
        await tx.containers.insert(container);
        started.push(container);
      }
      return started;
    });
  }

  #setAlarm(at: number): void {
    this.#alarm?.[Symbol.dispose]();
    const delay = at - this.#deps.clock.now();
    if (delay < longestPauseMs) this.#alarm = this.#deps.clock.timer(delay, () => this.#deps.bells.ring(demandBell));
  }
}

/** What an idle container gets for its exit hooks. */
const drainForIdleMs = 30_000;

function decide(view: View, now: number): { demand: Demand; scaling: Scaling }[] {
  const byFunction = Map.groupBy(view.containers, ({ functionId }) => functionId);
  return view.demands.map((demand) => ({
    demand,
    scaling: autoscale(demand, byFunction.get(demand.functionId) ?? [], now),
  }));
}

/** Kills what does not end or does not begin in time; answers when the next one is due. */
function stopOverdue({ demands, containers }: View, hands: Hands, now: number): number {
  const startupMs = new Map(demands.map(({ functionId, policy }) => [functionId, policy.startupMs]));
  let next = Number.POSITIVE_INFINITY;
  for (const container of containers) {
    const starts = container.state === "assigned" || container.state === "starting";
    const startBy = starts ? container.createdAt + (startupMs.get(container.functionId) ?? 0) : undefined;
    const due = container.killAt ?? startBy;
    if (due === undefined) continue;
    if (due > now) next = Math.min(next, due);
    else hands.stop(container, container.killAt === undefined ? "it did not start in time" : "it did not end in time");
  }
  return next;
}

async function isStillWanted(tx: Tx, demand: Demand): Promise<boolean> {
  const app = await tx.apps.get(demand.appId);
  return app !== undefined && isAlive(app.state);
}

function newContainer(demand: Demand, workerId: string, made: { id: Container["id"]; now: number }): Container {
  return {
    id: made.id,
    functionId: demand.functionId,
    appId: demand.appId,
    workerId,
    state: "assigned",
    fence: randomText(16),
    milliCpu: demand.policy.milliCpu,
    memoryMib: demand.policy.memoryMib,
    held: 0,
    finished: 0,
    createdAt: made.now,
    readyAt: undefined,
    idleSince: made.now,
    killAt: undefined,
    goneAt: undefined,
    goneReason: undefined,
    logOffset: 0,
  };
}
