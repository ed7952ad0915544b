/** Outputs that a container reports one by one, but that have come before any is written down: they are one unit of work. */
import type { Context } from "../domain/context.ts";
import type { Store } from "../domain/store.ts";
import { completeInputs, type Completion } from "./complete.ts";

interface Gathered {
  readonly completions: Completion[];
  readonly done: Promise<string[]>;
}

export class Completions {
  readonly #deps: { store: Store; context: () => Context };
  readonly #open = new Map<string, Gathered>();

  constructor(deps: { store: Store; context: () => Context }) {
    this.#deps = deps;
  }

  /** Answers the inputs that the container holds no more, among them those of others that were gathered with these. */
  async complete(containerId: string, how: "note" | "write", completions: readonly Completion[]): Promise<string[]> {
    const key = `${how} ${containerId}`;
    const gathered = this.#open.get(key) ?? this.#begin(containerId, how, key);
    gathered.completions.push(...completions);
    return await gathered.done;
  }

  #begin(containerId: string, how: "note" | "write", key: string): Gathered {
    const { store, context } = this.#deps;
    const completions: Completion[] = [];
    const done = store[how](async (tx) => {
      this.#open.delete(key);
      return await completeInputs(tx, containerId, completions, context());
    });
    const gathered = { completions, done };
    this.#open.set(key, gathered);
    return gathered;
  }
}
