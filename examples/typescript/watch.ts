// A job with state that runs every quarter of an hour: lydian deploy examples/typescript/watch.ts
import { App, Cron, Dict } from "lydian";

const app = new App("watch");
const seen = Dict.fromName<string, number>("prices", { createIfMissing: true });

export const check = app.function(
  {
    schedule: new Cron("*/15 * * * *", { timezone: "Europe/Berlin" }),
    retries: { maxRetries: 3, initialDelay: "5s" },
    env: { PRICES: 'data:application/json,{"price":80}' },
  },
  async () => {
    const { price } = (await (await fetch(process.env["PRICES"] ?? "")).json()) as { price: number };
    const last = await seen.get("widget");
    if (last !== undefined && price < last * 0.95) console.log(`now ${price}, from ${last}`);
    await seen.put("widget", price);
    return price;
  },
);

// Calls it by hand, whenever that is: lydian run examples/typescript/watch.ts
export const main = app.localEntrypoint({ before: 100 }, async ({ before }) => {
  await seen.put("widget", before);
  console.log("price:", await check.remote());
});
