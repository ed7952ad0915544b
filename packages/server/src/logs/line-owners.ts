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

/** What a container works on, and what it has worked on, in the order of its ends: a look at either costs nothing for the rest. */
interface Works {
  readonly open: Map<string, Work>;
  readonly ended: Work[];
}

export class LineOwners {
  readonly #containers = new Map<string, Works>();

  /** False after a restart of the server: what it holds is to be told by `began`. */
  knows(containerId: string): boolean {
    return this.#containers.has(containerId);
  }

  /** It has these inputs from then on. `isAlone`: it takes one at a time, so it is done with those before. */
  began(containerId: string, inputs: readonly Held[], at: number, isAlone: boolean): void {
    const works = this.#containers.get(containerId) ?? { open: new Map<string, Work>(), ended: [] };
    this.#containers.set(containerId, works);
    if (isAlone) this.ended(containerId, [...works.open.keys()], at);
    for (const { inputId, callId } of inputs) {
      works.open.set(inputId, { inputId, callId, from: at, to: Number.POSITIVE_INFINITY });
    }
  }

  ended(containerId: string, inputIds: readonly string[], at: number): void {
    const works = this.#containers.get(containerId);
    if (works === undefined) return;
    for (const inputId of inputIds) {
      const work = works.open.get(inputId);
      if (work === undefined) continue;
      works.open.delete(inputId);
      work.to = at;
      works.ended.push(work);
    }
    if (works.ended.length > 2 * mostEnded) works.ended.splice(0, works.ended.length - mostEnded);
  }

  forget(containerId: string): void {
    this.#containers.delete(containerId);
  }

  /** `inputId`: which the line names; any other than those that the container has or had means nothing. */
  ownerOf(containerId: string, time: number, inputId?: string): Owner {
    const works = this.#containers.get(containerId);
    if (works === undefined) return nobody;
    if (inputId !== undefined) {
      const named = works.open.get(inputId) ?? works.ended.findLast((work) => work.inputId === inputId);
      if (named) return { callId: named.callId, inputId: named.inputId };
    }
    let first: Work | undefined;
    let isOne = true;
    for (const work of [...since(works.ended, time), ...works.open.values()]) {
      if (time < work.from) continue;
      if (first?.to === time) first = undefined; // the one before ended in this very millisecond
      if (first !== undefined && first.callId !== work.callId) return nobody;
      isOne = first === undefined;
      first ??= work;
    }
    if (first === undefined) return nobody;
    return isOne ? { callId: first.callId, inputId: first.inputId } : { callId: first.callId };
  }
}

/** Those that ended then or later. */
function since(ended: readonly Work[], time: number): readonly Work[] {
  let from = ended.length;
  while (from > 0 && (ended[from - 1] as Work).to >= time) from--;
  return ended.slice(from);
}
