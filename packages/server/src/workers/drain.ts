/**
 * Rest before a host is taken down: no container begins, those that idle end at once, and those that are busy finish what they
 * hold, up to a deadline. In memory alone: a platform that is started again does not rest.
 */
import type { Bells, Clock, NewId } from "@lydian/kit";

import { drain, exitGraceMs } from "../containers/begin.ts";
import { demandBell, idleBell, imagesBell } from "../domain/bells.ts";
import type { Container, Load } from "../domain/container.ts";
import type { Store } from "../domain/store.ts";
import type { WorkerView } from "../domain/worker.ts";

export interface DrainDeps {
  store: Store;
  bells: Bells;
  clock: Clock;
  newId: NewId;
  /** What containers are busy with that stands in no database. */
  loads(): Load[];
}

/** What is left. */
export interface DrainState {
  containers: number;
  /** That those hold. */
  inputs: number;
  /** Images that are being built; what breaks one off costs time alone. */
  builds: number;
}

export class Drain {
  readonly #deps: DrainDeps;
  #isOn = false;

  constructor(deps: DrainDeps) {
    this.#deps = deps;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Those that may be given something to do. */
  open(workers: WorkerView[]): WorkerView[] {
    return this.#isOn ? [] : workers;
  }

  /** From here on everything goes on as before. */
  end(): void {
    this.#isOn = false;
    this.#deps.bells.ring(demandBell);
    this.#deps.bells.ring(imagesBell);
  }

  /** Tells what is left whenever that changes, and ends when nothing is; builds are not waited for beyond the deadline. */
  async *begin(withinMs: number, signal: AbortSignal): AsyncGenerator<DrainState> {
    const { bells, clock } = this.#deps;
    this.#isOn = true;
    const deadline = clock.now() + withinMs;
    let last: DrainState | undefined;
    const look = async (): Promise<DrainState | undefined> => {
      const state = await this.#look(deadline);
      return this.#isOn && isSame(state, last) ? undefined : state;
    };
    for (;;) {
      const waitMs = Math.max(0, deadline - clock.now()) + exitGraceMs;
      const found = await bells.until([demandBell, idleBell, imagesBell], look, { clock, waitMs, signal });
      if (found === undefined || !this.#isOn) return;
      yield (last = found);
      if (found.containers === 0 && (found.builds === 0 || clock.now() >= deadline)) return;
    }
  }

  /** A container may have begun while this did: so each look ends what is there. */
  async #look(deadline: number): Promise<DrainState> {
    const { store, clock } = this.#deps;
    const { containers, builds } = await store.read(async (tx) => ({
      containers: await tx.containers.alive(),
      builds: (await tx.images.underWay()).filter(({ state }) => state === "building").length,
    }));
    const loads = new Map(this.#deps.loads().map((load) => [load.containerId, load.requests]));
    const heldBy = ({ id, held }: Container): number => held + (loads.get(id) ?? 0);
    const going = containers.filter(({ state, killAt }) => state !== "draining" || (killAt ?? Infinity) > deadline);
    if (going.length > 0 && this.#isOn) {
      await store.write(async (tx) => {
        for (const { id } of going) {
          const now = await tx.containers.get(id);
          const isBusy = now !== undefined && heldBy(now) > 0;
          await drain(tx, id, isBusy ? deadline : Math.min(deadline, clock.now() + exitGraceMs));
        }
      });
    }
    return { containers: containers.length, inputs: containers.reduce((sum, each) => sum + heldBy(each), 0), builds };
  }
}

function isSame(a: DrainState, b: DrainState | undefined): boolean {
  return b !== undefined && a.containers === b.containers && a.inputs === b.inputs && a.builds === b.builds;
}
