// Many inputs, failures in a queue: lydian run examples/typescript/crawl.ts --count 100
import { App, Queue } from "lydian";

const app = new App("crawl");
const failed = Queue.fromName<string>("failed-urls", { createIfMissing: true });

export const title = app.function(
  { concurrent: { maxInputs: 50 }, maxContainers: 20, timeout: "30s" },
  async (url: string) => {
    const found = /<title>([^<]*)/i.exec(await (await fetch(url)).text())?.[1];
    if (found === undefined) await failed.put(url);
    return found?.trim() ?? null;
  },
);

export const main = app.localEntrypoint({ site: "https://example.com/", count: 100 }, async ({ site, count }) => {
  const urls = Array.from({ length: count }, (_, page) => `${site}${page}`);
  for await (const found of title.map(urls, { orderOutputs: false, returnExceptions: true })) {
    console.log(found instanceof Error ? `failed: ${found.message}` : found);
  }
  const left = await failed.len();
  console.log("no title:", left === 0 ? [] : await failed.getMany(left));
});
