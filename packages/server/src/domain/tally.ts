/** What happened to one function within one span of time, as counts; times by how long they were. Pure but for `add`, which counts on. */

/**
 * Times and other measures by how large they were, without themselves: how many fell into each of the steps that grow by a tenth. What
 * it says is thus within five per cent. As JSON it is small, for most steps are empty.
 */
export type Sketch = Record<number, number>;

export interface Tally {
  /** Inputs by how they ended. */
  succeeded: number;
  failed: number;
  timedOut: number;
  /** Stopped by somebody, or given up by their callers. */
  cancelled: number;
  /** How long containers had them, and how long they took from their queuing on; in milliseconds. */
  ran: Sketch;
  took: Sketch;
  /** Containers that became ready, and how long that took them; and those whose end was an error. */
  started: number;
  startup: Sketch;
  errors: number;
  /** What they used, in thousandths of a core and in MiB: of each minute of each container one value, and one at its end. */
  cpu: Sketch;
  memory: Sketch;
  /** Answers over HTTP by their status; 0 where a caller left before. And how long they took. */
  statuses: Record<number, number>;
  answered: Sketch;
}

export const emptyTally = (): Tally => ({
  ...{ succeeded: 0, failed: 0, timedOut: 0, cancelled: 0, started: 0, errors: 0 },
  ...{ ran: {}, took: {}, startup: {}, cpu: {}, memory: {}, statuses: {}, answered: {} },
});

const growth = 1.1;
/** Smaller ones are as this. */
const smallest = 0.1;

/** Counts one more. */
export function observe(sketch: Sketch, value: number): void {
  const step = Math.ceil(Math.log(Math.max(value, smallest)) / Math.log(growth));
  sketch[step] = (sketch[step] ?? 0) + 1;
}

/** Undefined where nothing was counted. `share` is from 0 to 1. */
export function quantile(sketch: Sketch, share: number): number | undefined {
  const steps = Object.entries(sketch)
    .map(([step, count]) => [Number(step), count] as const)
    .toSorted(([a], [b]) => a - b);
  const total = steps.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return undefined;
  let left = Math.max(1, Math.ceil(share * total));
  for (const [step, count] of steps) {
    left -= count;
    if (left <= 0) return (2 * growth ** step) / (growth + 1);
  }
  return undefined;
}

/** Adds the other to the first, which it answers. */
export function add(into: Tally, other: Partial<Tally>): Tally {
  for (const [name, value] of Object.entries(other) as [keyof Tally, number | Record<number, number>][]) {
    if (typeof value === "number") (into[name] as number) += value;
    else {
      const counts = into[name] as Record<number, number>;
      for (const [key, count] of Object.entries(value)) counts[Number(key)] = (counts[Number(key)] ?? 0) + count;
    }
  }
  return into;
}

/** What is not empty of it. */
export function compact(tally: Tally): Partial<Tally> {
  return Object.fromEntries(
    Object.entries(tally).filter(([, value]) =>
      typeof value === "number" ? value > 0 : Object.keys(value).length > 0,
    ),
  );
}
