/**
 * Which call a container's lines belong to. It prints while it works, and the clients' containers do not say on what: so it is told
 * by time, from what it held then. Of a container that works on several inputs at once a line belongs to a call only where all are
 * of one, or where the line itself names its input.
 */

export interface Held {
  inputId: string;
  callId: string;
}

export interface Owner {
  callId?: string;
  inputId?: string;
}

interface Work extends Held {
  from: number;
  to: number;
}

/** How many ended ones are remembered: their lines are on the way for some milliseconds. */
const mostEnded = 1024;

const nobody: Owner = {};

export class LineOwners {
  readonly #containers = new Map<string, Work[]>();

  /** False after a restart of the server: what it holds is to be told by `began`. */
  knows(containerId: string): boolean {
    return this.#containers.has(containerId);
  }

  /** It has these inputs from then on. `isAlone`: it takes one at a time, so it is done with those before. */
  began(containerId: string, inputs: readonly Held[], at: number, isAlone: boolean): void {
    const works = this.#containers.get(containerId) ?? [];
    this.#containers.set(containerId, works);
    if (isAlone) for (const work of works) work.to = Math.min(work.to, at);
    for (const { inputId, callId } of inputs) works.push({ inputId, callId, from: at, to: Number.POSITIVE_INFINITY });
    if (works.length > 2 * mostEnded) this.#containers.set(containerId, shortened(works));
  }

  ended(containerId: string, inputIds: readonly string[], at: number): void {
    const ended = new Set(inputIds);
    for (const work of this.#containers.get(containerId) ?? []) {
      if (ended.has(work.inputId)) work.to = Math.min(work.to, at);
    }
  }

  forget(containerId: string): void {
    this.#containers.delete(containerId);
  }

  /** `inputId`: which the line names; any other than those that the container has or had means nothing. */
  ownerOf(containerId: string, time: number, inputId?: string): Owner {
    const named = inputId && this.#containers.get(containerId)?.findLast((work) => work.inputId === inputId);
    if (named) return { callId: named.callId, inputId: named.inputId };
    let first: Work | undefined;
    let isOne = true;
    for (const work of this.#containers.get(containerId) ?? []) {
      if (time < work.from || time > work.to) continue;
      if (first?.to === time) first = undefined; // the one before ended in this very millisecond
      if (first !== undefined && first.callId !== work.callId) return nobody;
      isOne = first === undefined;
      first ??= work;
    }
    if (first === undefined) return nobody;
    return isOne ? { callId: first.callId, inputId: first.inputId } : { callId: first.callId };
  }
}

function shortened(works: readonly Work[]): Work[] {
  const ended = works.filter(({ to }) => to !== Number.POSITIVE_INFINITY).slice(-mostEnded);
  return [...ended, ...works.filter(({ to }) => to === Number.POSITIVE_INFINITY)];
}
