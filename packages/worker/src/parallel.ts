/** Work on many things, a few at a time. */

/** Resolves when `work` is done for all; at the first failure begins no more, waits for what runs, and rejects. */
export async function forEachParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values(); // taken from by all, so each item goes to whoever is free
  let failure: { error: unknown } | undefined;
  const takeTurns = async (): Promise<void> => {
    for (const item of rest) {
      try {
        await work(item);
      } catch (error) {
        failure ??= { error };
      }
      if (failure !== undefined) return;
    }
  };
  await Promise.all(Array.from({ length: width }, takeTurns));
  if (failure !== undefined) throw failure.error;
}
