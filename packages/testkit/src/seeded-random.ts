/** Chance that can be repeated: the same seed gives the same numbers. */

export interface Random {
  /** A whole number from 0 to `below - 1`. */
  below(below: number): number;
  /** True once in `times`. */
  once(times: number): boolean;
  /** One of the list; undefined when it is empty. */
  pick<T>(list: readonly T[]): T | undefined;
}

/** The generator known as mulberry32: small, and even enough to choose test inputs. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { below, once: (times) => below(times) === 0, pick: (list) => list[below(list.length)] };
}
