/** Which layers make a state of a volume, and which of them are better made into one: pure. */

/** A layer that leads from one state to another; the state 0 is empty. */
export interface Step {
  readonly from: number;
  readonly to: number;
  /** How many paths it changes. */
  readonly entries: number;
}

/** The lowest first; empty where they lead not from 0 to `to`. */
export function chainTo(steps: readonly Step[], to: number): Step[] {
  const chain: Step[] = [];
  for (let at = to; ;) {
    const step = steps.filter((each) => each.to === at).toSorted((one, other) => one.from - other.from)[0];
    if (step === undefined) return [];
    chain.unshift(step);
    if (step.from === 0) return chain;
    at = step.from;
  }
}

/** The newest state that they lead to; undefined where they lead to none. */
export function newestOf(steps: readonly Step[]): number | undefined {
  const states = steps.map(({ to }) => to).toSorted((one, other) => other - one);
  return states.find((to) => chainTo(steps, to).length > 0);
}

/** A layer takes those above it in when they have a quarter of its entries, or when there would be more than so many. */
const share = 4;
const mostSteps = 8;

/** From which state on the chain is better made one layer; undefined when it is good as it is. */
export function foldFrom(chain: readonly Step[]): number | undefined {
  let entries = 0;
  let from: number | undefined;
  for (const [i, step] of chain.toReversed().entries()) {
    if (i > 0 && step.entries > entries * share && chain.length - i <= mostSteps) break;
    if (i > 0) from = step.from;
    entries += step.entries;
  }
  return from;
}
