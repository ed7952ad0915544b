/** 10,000 functions that are due at one moment: how late each is queued, and what a server does that waits for it. */
import { chownSync, mkdtempDisposableSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";

import { Bells, idMaker } from "@lydian/kit";
import { emptyPolicy } from "@lydian/server/src/domain/function";
import type { ScheduleRule } from "@lydian/server/src/domain/schedule";
import { nextRun } from "@lydian/server/src/schedules/next-run";
import { openStore } from "@lydian/server/src/store/sqlite";
import { Platform } from "@lydian/testkit";

import { cpuMs, ms, percentile, printTable } from "./measure.ts";

const count = Number(process.env["BENCH_SCHEDULES"] ?? 10_000);
const functionsPerApp = 20;
const zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"];

using folder = mkdtempDisposableSync(join(tmpdir(), "lydian-bench-"));
const data = folder.path;
const file = join(data, "server", "store.sqlite");

/** A moment at which every rule is due: a whole minute, far enough for the platform to start before. */
const moment = Math.ceil((Date.now() + 60_000) / 60_000) * 60_000;

/** Cron rules of several zones, and periods. */
function ruleOf(n: number): ScheduleRule {
  if (n % 5 === 4) return { kind: "period", months: 0, days: 1, ms: 0 };
  return { kind: "cron", expression: "* * * * *", timezone: zones[n % 5] ?? "UTC" };
}

const deployed = {
  state: "deployed",
  createdBy: "",
  deployedAt: 0,
  deployedBy: "",
  version: 1,
  stoppedAt: undefined,
  stoppedBy: "",
  tags: {},
  layout: { functionIds: {}, classIds: {} },
} as const;

async function plant(): Promise<void> {
  const newId = idMaker(() => Date.now());
  const store = openStore(file, new Bells());
  await store.write(async (tx) => {
    const [environment] = await tx.identity.environments();
    if (environment === undefined) throw new Error("the platform has no environment");
    for (let first = 0; first < count; first += functionsPerApp) {
      const app = { id: newId("ap"), environmentId: environment.id, name: `app-${first}`, createdAt: 0 };
      await tx.apps.insert({ ...app, ...deployed });
      for (let n = first; n < Math.min(count, first + functionsPerApp); n++) {
        const record = { id: newId("fu"), appId: app.id, name: `f${n}`, definitionId: newId("de") };
        await tx.functions.put({
          ...record,
          definition: Uint8Array.of(0x12, 0x01, 0x66),
          clientVersion: "1.6.4",
          imageId: "",
          policy: emptyPolicy,
          createdAt: 0,
          binding: undefined,
        });
        const [rule, anchor] = [ruleOf(n), moment - 86_400_000];
        const dueAt = nextRun(rule, anchor, moment - 1) ?? 0;
        await tx.schedules.put({
          functionId: record.id,
          appId: app.id,
          format: "pickle",
          rule,
          anchor,
          dueAt,
          setAt: 0,
          last: undefined,
        });
      }
    }
  });
  await store.close();
  // The server runs as another user than who plants.
  const { uid, gid } = statSync(join(data, "server"));
  for (const name of readdirSync(join(data, "server"))) chownSync(join(data, "server", name), uid, gid);
}

/** When each had been queued, as somebody beside the server sees it, in milliseconds after the moment. */
async function lateness(): Promise<number[]> {
  const database = new DatabaseSync(file, { readOnly: true });
  const left = database.prepare("SELECT count(*) AS left FROM schedules WHERE due_at <= ?");
  const late: number[] = [];
  await delay(moment - 50 - Date.now());
  while (late.length < count) {
    const gone = count - Number(left.get(moment)?.["left"]);
    const after = Date.now() - moment;
    if (after > 60_000) throw new Error(`${count - gone} are not queued after a minute`);
    late.push(...Array.from({ length: gone - late.length }, () => after));
    await delay(2);
  }
  const calls = Number(database.prepare("SELECT count(*) AS n FROM calls").get()?.["n"]);
  database.close();
  if (calls !== count) throw new Error(`there are ${calls} calls`);
  return late;
}

await (await Platform.start({ data, runtime: "process" })).stop();
await plant();
await using platform = await Platform.start({ data, runtime: "process", args: ["--log-level", "warn"] });
const { pid } = platform.process("server") ?? {};
if (pid === undefined) throw new Error("there is no server");
const [waitsFrom, before] = [Date.now(), cpuMs(pid)];
await delay(Math.max(0, moment - 1_000 - Date.now()));
const idleMs = Date.now() - waitsFrom;
const idle = cpuMs(pid) - before;
const beforeMoment = cpuMs(pid);
const late = await lateness();
const spent = cpuMs(pid) - beforeMoment;
printTable(`${count} functions that are due at one moment`, [
  ["", "first", "p50", "last"],
  ["queued after", ms(percentile(late, 0)), ms(percentile(late, 0.5)), ms(percentile(late, 1))],
]);
console.log(`  the server, meanwhile: ${ms(spent)} of processor time`);
console.log(`  the server, waiting for it: ${((100 * idle) / idleMs).toFixed(2)} % of a core over ${ms(idleMs)}`);
