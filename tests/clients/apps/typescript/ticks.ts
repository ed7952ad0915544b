/** Starts by itself once it is deployed; its entrypoint waits for that. */
import { App, Period, Queue } from "lydian";

const app = new App("typescript-ticks");
const ticks = Queue.fromName<number>("typescript-ticks", { createIfMissing: true });

export const tick = app.function({ schedule: new Period({ seconds: 1 }) }, async () => {
  await ticks.put(Date.now());
});

export const main = app.localEntrypoint(async () => {
  const [first, second] = [await ticks.get({ timeout: "1m" }), await ticks.get({ timeout: "1m" })];
  console.log(second > first ? "all of it holds" : `${second} is not after ${first}`);
});
