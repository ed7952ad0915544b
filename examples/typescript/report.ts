// An image, a secret and a volume: lydian run examples/typescript/report.ts
import { readFile, writeFile } from "node:fs/promises";

import { App, Image, Secret, Volume } from "lydian";

const reports = Volume.fromName("reports", { createIfMissing: true });
const app = new App("report", {
  image: Image.debianSlim().env({ CURRENCY: "EUR" }),
  secrets: [Secret.fromObject({ API_KEY: "not a real one" })],
  volumes: { "/reports": reports },
});

export const write = app.function(
  { cpu: 0.5, memory: "256MiB", timeout: "2m", retries: 2 },
  async (month: string, total: number) => {
    if (process.env["API_KEY"] === undefined) throw new Error("there is no key");
    await writeFile(`/reports/${month}.txt`, `${month}: ${total} ${process.env["CURRENCY"]}\n`);
    await reports.commit();
    return { month, finishedAt: new Date() }; // arrives as a Date
  },
);

export const read = app.function(async (month: string) => {
  await reports.reload();
  return await readFile(`/reports/${month}.txt`, "utf8");
});

export const main = app.localEntrypoint({ month: "2026-11" }, async ({ month }) => {
  const { finishedAt } = await write.remote(month, 42);
  console.log(finishedAt instanceof Date, (await read.remote(month)).trim());
});
