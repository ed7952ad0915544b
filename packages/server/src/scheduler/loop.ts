/** The one loop that acts: reads what is wanted and what there is, lets pure functions decide, and carries it out. */
import { type Bells, type Clock, type Logger, type NewId, type Timer, randomText, sleep } from "@lydian/kit";

import { drain, exitGraceMs } from "../containers/begin.ts";
import { startedTooLate } from "../containers/end.ts";
import { isAlive } from "../domain/app.ts";
import { demandBell } from "../domain/bells.ts";
import type { Container } from "../domain/container.ts";
import type { Times } from "../config.ts";
import type { Demand } from "../domain/function.ts";
import type { Store, Tx } from "../domain/store.ts";
import type { Needs, WorkerView } from "../domain/worker.ts";
import { type Scaling, autoscale } from "./autoscale.ts";
import { cutDown, inTurn, place, type Placement, roomOf, startCountsMs } from "./place.ts";
import { reclaim } from "./reclaim.ts";
import { Shortage, shortageLine } from "./shortage.ts";

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
  times: Pick<Times, "preparation">;
  /** Writes into a function's log. */
  tell(to: { appId: string; functionId: string }, text: string): void;
  log: Logger;
}

/** No pass is ever later than this after the one before: a guard against a deadline that was miscounted. */
const longestPauseMs = 60_000;

/** Between a pass that failed and the next try. */
const errorPauseMs = 1_000;

interface View {
  demands: Demand[];
  containers: Container[];
}

export class Scheduler {
  readonly #deps: SchedulerDeps;
  readonly #closing = new AbortController();
  readonly #shortage = new Shortage();
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
    await this.#loop;
    this.#alarm?.[Symbol.dispose]();
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
        await sleep(clock, errorPauseMs, signal).catch(() => {}); // closing: the loop ends
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
    const { tooLate, toKill, nextDue } = overdue(view, now, this.#deps.times.preparation);
    for (const container of toKill) hands.stop(container, "it did not end in time");
    const scalings = decide(view, now);
    const workers = hands.workers();
    const rooms = roomOf(workers, view.containers, now);
    const { placements, unplaced, left } = place(requests(view, scalings, workers), rooms);
    for (const container of await this.#start(placements)) hands.assign(container);
    const idle = scalings.flatMap(({ scaling }) => scaling.drain);
    const spare = scalings.flatMap(({ scaling }) => scaling.spare);
    await this.#end(tooLate, [...idle, ...reclaim(unplaced, left, view.containers, spare)]);
    const shortage = this.#shortage.look(unplaced, view.containers, now);
    for (const wanting of shortage.tell) this.#deps.tell(wanting, shortageLine(wanting));
    const looks = [shortage.lookAgainAt, ...scalings.map(({ scaling }) => scaling.lookAgainAt)];
    this.#setAlarm(Math.min(nextDue, ...looks.filter((at) => at !== undefined)));
  }

  async #end(tooLate: readonly Container[], idle: readonly Container[]): Promise<void> {
    const { store, clock, newId } = this.#deps;
    if (tooLate.length + idle.length === 0) return;
    const context = { now: clock.now(), newId };
    await store.write(async (tx) => {
      for (const { id } of tooLate) await startedTooLate(tx, id, context);
      for (const { id } of idle) {
        const container = await tx.containers.get(id);
        // Unless it has taken an input since it was looked at.
        if (container?.state === "ready" && container.held === 0) await drain(tx, id, context.now + exitGraceMs);
      }
    });
  }

  async #start(placements: readonly Placement<Request>[]): Promise<Container[]> {
    const { store, clock, newId } = this.#deps;
    if (placements.length === 0) return [];
    const now = clock.now();
    return store.write(async (tx) => {
      const started: Container[] = [];
      for (const { request, workerId, gpus } of placements) {
        if (!(await isStillWanted(tx, request))) continue;
        const container = newContainer(request, { workerId, gpus }, { id: newId("ta"), now });
        await tx.containers.insert(container);
        started.push(container);
      }
      if (started.length > 0) tx.ring(demandBell); // looked at once more: they have deadlines
      return started;
    });
  }

  #setAlarm(at: number): void {
    this.#alarm?.[Symbol.dispose]();
    const delay = at - this.#deps.clock.now();
    if (delay < longestPauseMs) this.#alarm = this.#deps.clock.timer(delay, () => this.#deps.bells.ring(demandBell));
  }
}

function decide(view: View, now: number): { demand: Demand; scaling: Scaling }[] {
  const byFunction = Map.groupBy(view.containers, ({ functionId }) => functionId);
  return view.demands.map((demand) => ({
    demand,
    scaling: autoscale(demand, byFunction.get(demand.functionId) ?? [], now),
  }));
}

type Request = Demand & Needs;

function requests(
  view: View,
  scalings: readonly { demand: Demand; scaling: Scaling }[],
  workers: readonly WorkerView[],
): Request[] {
  const counts = Map.groupBy(view.containers, ({ functionId }) => functionId);
  return inTurn(
    scalings.map(({ demand, scaling: { start: wants } }) => {
      return {
        of: { ...demand, ...cutDown(demand.policy.needs, workers) },
        has: counts.get(demand.functionId)?.length ?? 0,
        wants,
      };
    }),
  );
}

/** What does not begin or does not end in time, and when the next one is due. */
function overdue(
  { demands, containers }: View,
  now: number,
  preparationMs: number,
): { tooLate: Container[]; toKill: Container[]; nextDue: number } {
  const startupMs = new Map(demands.map(({ functionId, policy }) => [functionId, policy.startupMs]));
  const tooLate: Container[] = [];
  const toKill: Container[] = [];
  let nextDue = Number.POSITIVE_INFINITY;
  for (const container of containers) {
    const due = container.killAt ?? startBy(container, startupMs.get(container.functionId) ?? 0, preparationMs);
    if (due === undefined) continue;
    // Whoever waits for its turn to start has it when this start no longer counts.
    const slow = container.killAt === undefined ? container.createdAt + startCountsMs : now;
    if (slow > now) nextDue = Math.min(nextDue, slow);
    if (due > now) nextDue = Math.min(nextDue, due);
    else (container.killAt === undefined ? tooLate : toKill).push(container);
  }
  return { tooLate, toKill, nextDue };
}

/** What the function asks for counts from the start of its process: how long an image takes to make is not its affair. */
function startBy(container: Container, startupMs: number, preparationMs: number): number | undefined {
  if (container.state === "assigned") return container.createdAt + preparationMs;
  return container.state === "starting" ? container.idleSince + startupMs : undefined;
}

async function isStillWanted(tx: Tx, demand: Demand): Promise<boolean> {
  const app = await tx.apps.get(demand.appId);
  return app !== undefined && isAlive(app.state);
}

function newContainer(
  demand: Request,
  { workerId, gpus }: Pick<Container, "workerId" | "gpus">,
  made: { id: Container["id"]; now: number },
): Container {
  return {
    id: made.id,
    functionId: demand.functionId,
    definitionId: demand.definitionId,
    appId: demand.appId,
    workerId,
    state: "assigned",
    fence: randomText(16),
    milliCpu: demand.milliCpu,
    memoryMib: demand.memoryMib,
    gpus,
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
