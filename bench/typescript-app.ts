/** What bench/typescript.ts has called: functions that do nothing. */
import { App } from "lydian";

export const app = new App("bench-typescript");

export const one = app.function({ maxContainers: 1 }, (value: number) => value);

export const concurrent = app.function({ maxContainers: 1, concurrent: { maxInputs: 100 } }, (value: number) => value);

export const batched = app.function(
  { maxContainers: 1, batched: { maxBatchSize: 49, waitMs: 50 } },
  (values: number[]) => values,
);

/** Keeps its only container, so that what is called besides waits. */
export const asleep = app.function({ maxContainers: 1 }, async (_value: number) => {
  await new Promise(() => {});
});

/** A container for each call. */
export const once = app.function({ singleUseContainers: true }, () => true);
