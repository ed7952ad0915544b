/** A large set of data in chunks, one call each; with a GPU in the machine, `gpu: "A100"` is all that is to be added. */
import { App } from "lydian";

const app = new App("batch");

export const processBatch = app.function({ timeout: "1h" }, (items: number[]) => items.map((item) => Math.sqrt(item)));

export const main = app.localEntrypoint({ items: 10_000, chunk: 1_000 }, async ({ items, chunk }) => {
  const all = Array.from({ length: items }, (_, at) => at * at);
  const chunks = Array.from({ length: Math.ceil(items / chunk) }, (_, at) => all.slice(at * chunk, (at + 1) * chunk));
  const results: number[] = [];
  for await (const part of processBatch.map(chunks)) results.push(...part);
  console.log(`Processed ${results.length} items, the last of them to ${results.at(-1)}`);
});
