/** Several things at once. */

/** Waits for all of them, so that nothing is still under way when it rejects with the first failure. */
export async function allSettledWell(parts: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  const all = parts.filter((part) => part !== undefined);
  await Promise.allSettled(all);
  await Promise.all(all);
}
