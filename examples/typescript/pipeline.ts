/** A nightly job: reads, changes, and leaves what it made on a volume. `lydian run pipeline.ts` runs it now. */
import { readFile, writeFile } from "node:fs/promises";

import { App, Cron, Secret, Volume } from "lydian";

const data = Volume.fromName("pipeline-data", { createIfMissing: true });
const app = new App("pipeline", { volumes: { "/data": data } });

export const nightly = app.function(
  {
    schedule: new Cron("0 2 * * *", { timezone: "Europe/Berlin" }),
    secrets: [Secret.fromObject({ SOURCE: "data:text/csv,name,amount%0AAda,20%0ABob,22" })],
    retries: { maxRetries: 3, initialDelay: "5s" },
  },
  async () => {
    const text = await (await fetch(process.env["SOURCE"] ?? "")).text();
    const [, ...rows] = text.split("\n").map((line) => line.split(","));
    const total = rows.reduce((sum, [, amount]) => sum + Number(amount), 0);
    await writeFile("/data/total.json", JSON.stringify({ total, rows: rows.length }));
    await data.commit(); // from now on others see it
    return rows.length;
  },
);

export const main = app.localEntrypoint(async () => {
  console.log("rows:", await nightly.remote());
  console.log("total:", (JSON.parse(await data.readFile("total.json").text()) as { total: number }).total); // from here
});

/** In a container the volume is a folder. */
export const read = app.function(async () => await readFile("/data/total.json", "utf8"));
