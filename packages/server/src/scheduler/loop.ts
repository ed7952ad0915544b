/** The one loop that acts: reads what is wanted and what there is, lets pure functions decide, and carries it out. */
import { setTimeout as rest } from "node:timers/promises";

import { type Bells, type Clock, type Logger, Lookout, type NewId, randomText } from "@lydian/kit";

import { drain, exitGraceMs } from "../containers/begin.ts";
import { type Notice, startedTooLate } from "../containers/end.ts";
import { isAlive } from "../domain/app.ts";
import { demandBell, idleBell } from "../domain/bells.ts";
import type { Container, Load } from "../domain/container.ts";
import type { Times } from "../config.ts";
import type { Demand } from "../domain/function.ts";
import type { Store, Tx } from "../domain/store.ts";
import { isUnderWay } from "../domain/image.ts";
import { hasImage, type WorkerView } from "../domain/worker.ts";
import { wantImage } from "../images/transition.ts";
import { type Scaling, autoscale, isReplaced } from "./autoscale.ts";
import { type CeilingSettings, ceilingsBy } from "./ceilings.ts";
import { type View, withLoads } from "./loads.ts";
import { cutDown, inTurn, type Placement, roomOf, startCountsMs } from "./place.ts";
import { plan, type Wanted } from "./plan.ts";
import { candidatesFrom } from "./reclaim.ts";
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
  limits: CeilingSettings;
  /** What stands in no database. */
  loads(): Load[];
  /** Writes into a function's log. */
  tell(to: { appId: string; functionId: string }, text: string): void;
  log: Logger;
}

/** With so many functions that want something, a pass takes a tenth of a second and more, however little has changed. */
const manyFunctions = 1_000;

export class Scheduler {
  readonly #deps: SchedulerDeps;
  readonly #lookout: Lookout;
  readonly #shortage = new Shortage();
  /** A function without a container waits for room. */
  #isWaitedFor = false;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
    this.#lookout = new Lookout({
      ...deps,
      bell: demandBell,
      // What has no container at all also waits for others to have nothing to do.
      others: () => (this.#isWaitedFor ? [idleBell] : []),
      look: () => this.#look(),
      onFailure: (error) => deps.log.error({ err: error }, "a scheduling pass failed"),
    });
  }

  start(): void {
    this.#lookout.start();
  }

  async close(): Promise<void> {
    await this.#lookout.close();
  }

  /** Where a look takes long it rests three times as long: others have the processor, and what comes meanwhile is looked at together. */
  async #look(): Promise<true | undefined> {
    const begunAt = performance.now();
    const { functions, listens } = await this.#pass();
    if (functions > manyFunctions) await rest(3 * (performance.now() - begunAt));
    return listens;
  }

  /** How many functions want something, and whether it wants to be woken by other bells from now on. */
  async #pass(): Promise<{ functions: number; listens: true | undefined }> {
    const { store, clock, hands } = this.#deps;
    const now = clock.now();
    const { limits } = this.#deps;
    const stored = await store.read(async (tx) => ({
      demands: await tx.functions.demands(),
      containers: await tx.containers.alive(),
      environments: limits.environments === undefined ? [] : await tx.identity.environments(),
    }));
    const view = withLoads(stored, this.#deps.loads());
    const names = new Map(stored.environments.map(({ id, name }) => [id as string, name]));
    const { tooLate, toKill, nextDue } = overdue(view, now, this.#deps.times.preparation);
    for (const container of toKill) hands.stop(container, "it did not end in time");
    const scalings = decide(view, now);
    const workers = hands.workers();
    const idle = scalings.flatMap(({ scaling }) => scaling.drain);
    const replaced = scalings.flatMap(({ scaling }) => scaling.replaced);
    const leaving = new Set([...idle, ...replaced]);
    const spare = scalings.flatMap(({ scaling }) => scaling.spare);
    const { placements, held, unplaced, ending } = plan(requests(view, scalings, workers), {
      rooms: roomOf(workers, view.containers, now),
      containers: view.containers.map((each) => (leaving.has(each) ? { ...each, state: "draining" } : each)),
      ceilings: ceilingsBy(limits, view.demands, view.containers, names),
      candidates: candidatesIn(view, spare, leaving),
    });
    for (const container of await this.#start(placements)) hands.assign(container);
    await this.#end(tooLate, [...idle, ...ending], view.demands);
    await this.#replace(replaced, view.demands);
    const lacking = unplaced.map((request) => ({ ...request, lacksImage: lacksImage(request, workers) }));
    await this.#wantImages(lacking);
    const waiting = [...lacking, ...held.map(({ request, full }) => ({ ...request, full }))];
    const shortage = this.#shortage.look(waiting, view.containers, now);
    for (const wanting of shortage.tell) this.#deps.tell(wanting, shortageLine(wanting));
    const looks = [shortage.lookAgainAt, ...scalings.map(({ scaling }) => scaling.lookAgainAt)];
    this.#lookout.setAlarm(Math.min(nextDue, ...looks.filter((at) => at !== undefined)));
    const wasWaitedFor = this.#isWaitedFor;
    this.#isWaitedFor = waiting.some(({ isFirst }) => isFirst);
    return { functions: view.demands.length, listens: wasWaitedFor === this.#isWaitedFor ? undefined : true };
  }

  /** What idles ends now, and what is busy when it has finished what it holds. */
  async #end(tooLate: readonly Container[], needless: readonly Container[], demands: readonly Demand[]): Promise<void> {
    const { store, clock, newId } = this.#deps;
    if (tooLate.length + needless.length === 0) return;
    const context = { now: clock.now(), newId };
    const timeoutMs = new Map(demands.map(({ functionId, policy }) => [functionId, policy.timeoutMs]));
    const notices: (Notice | undefined)[] = [];
    await store.write(async (tx) => {
      for (const { id } of tooLate) notices.push(await startedTooLate(tx, id, context));
      for (const { id, functionId, held } of needless) {
        const container = await tx.containers.get(id);
        // Unless it was idle and has taken an input since it was looked at.
        if (container?.state !== "ready" || (held === 0 && container.held + this.#loadOf(id) > 0)) continue;
        const finishMs = held > 0 ? (timeoutMs.get(functionId) ?? 0) : 0;
        await drain(tx, id, context.now + finishMs + exitGraceMs);
      }
    });
    for (const notice of notices) if (notice !== undefined) this.#deps.tell(notice.to, notice.text);
  }

  /** There is another one: it takes no more, and ends when it has finished what it holds. */
  async #replace(old: readonly Container[], demands: readonly Demand[]): Promise<void> {
    const { store, clock } = this.#deps;
    if (old.length === 0) return;
    const timeoutMs = new Map(demands.map(({ functionId, policy }) => [functionId, policy.timeoutMs]));
    await store.write(async (tx) => {
      for (const { id, functionId } of old) {
        await drain(tx, id, clock.now() + (timeoutMs.get(functionId) ?? 0) + exitGraceMs);
      }
    });
  }

  #loadOf(containerId: string): number {
    return this.#deps.loads().find((load) => load.containerId === containerId)?.requests ?? 0;
  }

  /** Images that are to be made again, for the containers that wait for them. */
  async #wantImages(lacking: readonly (Request & { lacksImage: boolean })[]): Promise<void> {
    const { store, clock, newId } = this.#deps;
    const wanted = lacking.filter((each) => each.lacksImage && !(each.imageState && isUnderWay(each.imageState)));
    const isMissing = new Map(wanted.map(({ imageId, imageState }) => [imageId, imageState === "built"]));
    if (isMissing.size === 0) return;
    await store.write(async (tx) => {
      for (const [id, missing] of isMissing) {
        await wantImage(tx, id, { isMissing: missing }, { now: clock.now(), newId });
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
}

function decide(view: View, now: number): { demand: Demand; scaling: Scaling }[] {
  const byFunction = Map.groupBy(view.containers, ({ functionId }) => functionId);
  return view.demands.map((demand) => ({
    demand,
    scaling: autoscale(demand, byFunction.get(demand.functionId) ?? [], now),
  }));
}

type Request = Demand & Wanted;

/** Where there is no room beside it, what a deployment has replaced makes way for what replaces it. */
function candidatesIn(
  { demands, containers }: View,
  spare: readonly Container[],
  leaving: ReadonlySet<Container>,
): (request: Request) => readonly Container[] {
  const stays = (each: Container): boolean => !leaving.has(each);
  const others = candidatesFrom(spare.filter(stays), demands, containers);
  return (request) => {
    const own = containers.filter((each) => each.functionId === request.functionId && each.state === "ready");
    const old = own.filter((each) => stays(each) && isReplaced(request, each)).toSorted((a, b) => a.held - b.held);
    return [...new Set([...others(request), ...old])];
  };
}

/** With no worker at all, nothing is known. */
function lacksImage(request: Request, workers: readonly WorkerView[]): boolean {
  return workers.length > 0 && !workers.some((worker) => hasImage(request, worker));
}

function requests(
  view: View,
  scalings: readonly { demand: Demand; scaling: Scaling }[],
  workers: readonly WorkerView[],
): Request[] {
  const counts = Map.groupBy(view.containers, ({ functionId }) => functionId);
  const served = new Set(counts.keys());
  const wanted = inTurn(
    scalings.map(({ demand, scaling: { start: wants } }) => {
      const has = counts.get(demand.functionId)?.length ?? 0;
      const image = { id: demand.imageId, isBuilt: demand.imageState === "built" };
      const of = { ...demand, ...cutDown(demand.policy.needs, workers), image };
      return { of, appId: demand.appId, has, wants };
    }),
  );
  return wanted.map((of) => {
    const isFirst = !served.has(of.functionId);
    served.add(of.functionId);
    return { ...of, isFirst };
  });
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
