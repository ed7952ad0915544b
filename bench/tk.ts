import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { Bells, idMaker, silentLogger, systemClock } from "@lydian/kit";
import { emptyPolicy } from "@lydian/server/src/domain/function";
import { nextRun } from "@lydian/server/src/schedules/next-run";
import { openStore } from "@lydian/server/src/store/sqlite";
import { Timekeeper } from "@lydian/server/src/schedules/timekeeper";
import { ensureIdentity } from "@lydian/server/src/identity/first-start";
import { limitsSchema } from "@lydian/server/src/config";
const file = join(mkdtempSync("/tmp/tk-"), "s.sqlite");
const bells = new Bells();
const store = openStore(file, bells);
const newId = idMaker(() => Date.now());
const moment = Math.floor(Date.now() / 60000) * 60000;
await store.write((tx) => ensureIdentity(tx, { workspace: "w", ownerToken: { id: "ak-1", secretSha256: "0".repeat(64) } } as never, { now: 0, newId }));
const zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"];
await store.write(async (tx) => {
  const [environment] = await tx.identity.environments();
  for (let first = 0; first < 10000; first += 20) {
    const app = { id: newId("ap"), environmentId: environment!.id, name: `app-${first}`, createdAt: 0 };
    await tx.apps.insert({ ...app, state: "deployed", createdBy: "", deployedAt: 0, deployedBy: "", version: 1, stoppedAt: undefined, stoppedBy: "", tags: {}, layout: { functionIds: {}, classIds: {} } } as never);
    for (let n = first; n < first + 20; n++) {
      const record = { id: newId("fu"), appId: app.id, name: `f${n}`, definitionId: newId("de") };
      await tx.functions.put({ ...record, definition: Uint8Array.of(0x12, 1, 0x66), clientVersion: "1.6.4", imageId: "", policy: emptyPolicy, createdAt: 0, binding: undefined } as never);
      const rule = n % 5 === 4 ? { kind: "period", months: 0, days: 1, ms: 0 } : { kind: "cron", expression: "* * * * *", timezone: zones[n % 5] ?? "UTC" };
      const anchor = moment - 86400000;
      await tx.schedules.put({ functionId: record.id, appId: app.id, format: "pickle", rule, anchor, dueAt: nextRun(rule as never, anchor, moment - 1) ?? 0, setAt: 0, last: undefined } as never);
    }
  }
});
const cpu = process.cpuUsage(); const t = performance.now();
const tk = new Timekeeper({ store, bells, clock: systemClock, newId, limits: limitsSchema.parse({}), log: silentLogger, tell: () => {} } as never);
tk.start();
for (;;) { const d = await store.read((tx) => tx.schedules.nextDue()); if ((d ?? Infinity) > Date.now()) break; await new Promise((r) => setTimeout(r, 5)); }
const used = process.cpuUsage(cpu);
console.log("wall", (performance.now() - t).toFixed(0), "cpu", ((used.user + used.system) / 1000).toFixed(0));
process.exit(0);
