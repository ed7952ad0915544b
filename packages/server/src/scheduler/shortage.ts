/** Functions whose inputs wait because there is no room for a container of theirs: each is told once. */
import type { Container } from "../domain/container.ts";
import type { Needs } from "../domain/worker.ts";
import type { Scope } from "./ceilings.ts";

/** How long it takes before a word is said, in milliseconds: mostly something ends meanwhile. */
export const toldAfterMs = 5_000;

export interface Wanting extends Needs {
  functionId: string;
  appId: string;
  /** Whose ceiling holds it back; absent when no worker has room. */
  full?: Scope;
  /** No worker has its image. */
  lacksImage?: boolean;
}

export class Shortage {
  readonly #waiting = new Map<string, { since: number; told: boolean }>();

  /**
   * `wanted` is what there is no room for now. A function that has a container makes do with it when workers are full, for
   * that is the usual state of things; a ceiling, which is somebody's will, it is told of. Answers those that are to be
   * told, and when to look again.
   */
  look(
    wanted: readonly Wanting[],
    containers: readonly Container[],
    now: number,
  ): { tell: Wanting[]; lookAgainAt: number | undefined } {
    const served = new Set(containers.map(({ functionId }) => functionId as string));
    const untold = wanted.filter(({ functionId, full }) => full !== undefined || !served.has(functionId));
    const waiting = new Map(untold.map((wanting) => [wanting.functionId, wanting]));
    for (const id of this.#waiting.keys()) if (!waiting.has(id)) this.#waiting.delete(id);
    const tell: Wanting[] = [];
    let lookAgainAt: number | undefined;
    for (const [id, wanting] of waiting) {
      const known = this.#waiting.get(id) ?? { since: now, told: false };
      this.#waiting.set(id, known);
      if (known.told) continue;
      const at = known.since + toldAfterMs;
      if (at > now) lookAgainAt = Math.min(at, lookAgainAt ?? at);
      else {
        known.told = true;
        tell.push(wanting);
      }
    }
    return { tell, lookAgainAt };
  }
}

/** For the app's log. */
export function shortageLine(wanting: Needs & Pick<Wanting, "full" | "lacksImage">): string {
  const { milliCpu, memoryMib, gpus, full, image, lacksImage } = wanting;
  if (full !== undefined) {
    const count = full.most === 1 ? "1 container" : `${full.most} containers`;
    return `Inputs wait: the ${full.kind} has ${count}, the most that it may have here at a time.\n`;
  }
  if (lacksImage === true) return `Inputs wait for image ${image?.id}, which is made again: no worker has it now.\n`;
  const accelerators = gpus.map(({ kind, count }) => `${count} ${kind}`).join(" or ");
  const needs = [`${milliCpu / 1000} cores`, `${memoryMib} MiB of memory`, ...(accelerators ? [accelerators] : [])];
  return `Inputs wait for a container that needs ${needs.join(", ")}: no worker has that free now.\n`;
}
