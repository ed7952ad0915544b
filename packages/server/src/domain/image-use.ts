/** Who needs images, and which of them nobody will ask for again: a decision over values. */

export interface ImageUse {
  readonly id: string;
  /** When it was last asked for, or the last app with it ended; milliseconds since the epoch. */
  readonly usedAt: number;
  /** It is being made, a function of an app that has not ended has it, or it is what a name stands for now. */
  readonly isNeeded: boolean;
  /** It is, or was once, what a name stands for, or a deployment that can be put into effect again has it. */
  readonly isListed: boolean;
  /** The images that it stands on. */
  readonly bases: readonly string[];
}

/** A client that has just been told an image's id will come back with it, whoever thinks little of age. */
const shortestMs = 3_600_000;

/** Ids of those of which nothing need be known any more: unused since then, without a name, and no base of another one. */
export function forgettable(uses: readonly ImageUse[], usedBefore: number, now: number): string[] {
  const byId = new Map(uses.map((use) => [use.id, use]));
  const before = Math.min(usedBefore, now - shortestMs);
  const kept = new Set<string>();
  const keep = (id: string): void => {
    if (kept.has(id)) return;
    kept.add(id);
    for (const base of byId.get(id)?.bases ?? []) keep(base);
  };
  for (const { id, isNeeded, isListed, usedAt } of uses) if (isNeeded || isListed || usedAt >= before) keep(id);
  return uses.map(({ id }) => id).filter((id) => !kept.has(id));
}

/** Why one cannot be deleted, for people; undefined when it can. */
export function whyNeeded({ id, isNeeded, isListed }: ImageUse, uses: readonly ImageUse[]): string | undefined {
  if (isNeeded) return "it is being made, a function of an app that has not stopped has it, or a name stands for it";
  if (isListed) return "it is in the history of a name, which `modal image names delete` forgets, or of a deployed app";
  const above = uses.find(({ bases }) => bases.includes(id));
  return above && `image ${above.id} stands on it`;
}
