/** Which container must end so that the disk has room again; pure. */

export interface Holding {
  readonly id: string;
  /** What ends with it; undefined when it was too much to be counted in time. */
  readonly held: number | undefined;
  /**
   * What its processes have written, deleted and written over; only an estimate of what it holds, but one that is there at
   * once, and that knows of files which nobody can find (such as one that is on its way through a socket). Not known of
   * inodes.
   */
  readonly wrote: number | undefined;
}

export interface Verdict {
  readonly id: string;
  readonly by: "held" | "wrote";
  /** Infinity when nobody could count it. */
  readonly amount: number;
}

/**
 * `lack` is what is missing to the reserve, less what comes back anyway. The one that holds most, if all together hold
 * what is missing. Otherwise somebody else has filled the disk, and no container is ended for it: but for one that has
 * itself written what is missing, wherever that is.
 */
export function whoMustEnd(lack: number, holdings: readonly Holding[]): Verdict | undefined {
  if (lack <= 0) return undefined;
  const held = holdings.map(({ id, held, wrote }) => ({
    id,
    by: held === undefined && wrote !== undefined ? ("wrote" as const) : ("held" as const),
    amount: held ?? wrote ?? Number.POSITIVE_INFINITY,
  }));
  const all = held.reduce((sum, { amount }) => sum + amount, 0);
  if (all >= lack) return largest(held);
  const written = largest(holdings.map(({ id, wrote }) => ({ id, by: "wrote" as const, amount: wrote ?? 0 })));
  return written !== undefined && written.amount >= lack ? written : undefined;
}

function largest(verdicts: readonly Verdict[]): Verdict | undefined {
  return verdicts.reduce<Verdict | undefined>((most, next) => {
    return most === undefined || next.amount > most.amount ? next : most;
  }, undefined);
}
