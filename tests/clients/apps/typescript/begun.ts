/** What a function finds around it, however its container began. */
import { readdirSync, readFileSync } from "node:fs";

import { App, Volume } from "lydian";
import { upgradeWebSocket } from "lydian/web";

const data = Volume.fromName("begun", { createIfMissing: true });
const app = new App("begun", { volumes: { "/data": data } });

export const around = app.function({ env: { TZ: "Asia/Tokyo", GREETING: "hello" } }, () => {
  const commandLine = readFileSync("/proc/self/cmdline", "utf8").split("\0");
  const { MODAL_TASK_ID: id = "", ...env } = process.env;
  return {
    inStarter: commandLine.some((word) => word.endsWith("/starter.mjs")),
    has: [id.slice(0, 3), typeof upgradeWebSocket, new Date(0).getHours()],
    env: Object.entries(env)
      .filter(([name]) => name !== "MODAL_CONTAINER_ARGUMENTS_PATH")
      .toSorted(([a], [b]) => a.localeCompare(b)),
    argv: process.argv,
    cwd: process.cwd(),
    files: [readdirSync("/root"), readdirSync("/data")],
    filename: import.meta.filename,
  };
});

export const main = app.localEntrypoint({}, async () => {
  console.log(JSON.stringify(await around.remote()));
});
