/** What is known in memory of containers that take requests, each looked up once: by its id, and together with others of its function. */

interface OfContainer {
  readonly containerId: string;
  readonly functionId: string;
}

export class ByContainer<T extends OfContainer> {
  readonly #look: (containerId: string) => Promise<T | undefined>;
  /** "none" of a container that takes no such requests. */
  readonly #known = new Map<string, T | "none">();
  readonly #byFunction = new Map<string, Set<T>>();

  constructor(look: (containerId: string) => Promise<T | undefined>) {
    this.#look = look;
  }

  /** Looked up, if nothing is known of it yet. */
  async of(containerId: string): Promise<T | undefined> {
    if (this.#known.has(containerId)) return this.get(containerId);
    const found = await this.#look(containerId);
    if (this.#known.has(containerId)) return this.get(containerId); // somebody else has looked meanwhile
    this.#known.set(containerId, found ?? "none");
    if (found !== undefined) {
      const own = this.#byFunction.get(found.functionId) ?? new Set();
      this.#byFunction.set(found.functionId, own.add(found));
    }
    return found;
  }

  get(containerId: string): T | undefined {
    const known = this.#known.get(containerId);
    return known === "none" ? undefined : known;
  }

  ofFunction(functionId: string): ReadonlySet<T> {
    return this.#byFunction.get(functionId) ?? new Set();
  }

  all(): T[] {
    return [...this.#byFunction.values()].flatMap((own) => [...own]);
  }

  /** The container is gone; answers what was known of it. */
  forget(containerId: string): T | undefined {
    const known = this.get(containerId);
    this.#known.delete(containerId);
    if (known === undefined) return undefined;
    const own = this.#byFunction.get(known.functionId);
    own?.delete(known);
    if (own?.size === 0) this.#byFunction.delete(known.functionId);
    return known;
  }
}
