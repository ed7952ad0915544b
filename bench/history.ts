/** A platform that keeps a million calls: how long its lists take to answer, each asked for on a connection that is there. */
import { chownSync, mkdtempDisposableSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ModalClient, operator } from "@lydian/contract";
import { findProfile, PlatformClient } from "@lydian/cli/src/platform-client";
import { Bells } from "@lydian/kit";
import { openStore } from "@lydian/server/src/store/sqlite";
import { Platform } from "@lydian/testkit";

import { median, ms, percentile, printTable } from "./measure.ts";

const calls = Number(process.env["BENCH_CALLS"] ?? 1_000_000);
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 9);
const apps = 200;

using folder = mkdtempDisposableSync(join(tmpdir(), "lydian-bench-"));
const data = folder.path;
const file = join(data, "server", "store.sqlite");

/** What a busy function did within a minute: a tally has no more steps than times differ by tenths. */
function busyMinute(): string {
  const steps = Object.fromEntries(Array.from({ length: 40 }, (_, step) => [step + 20, 50]));
  return JSON.stringify({ succeeded: 1_950, failed: 50, ran: steps, took: steps });
}
const tally = busyMinute();

/** Calls of the last day, all but a few of one app; one in ten thousand failed, and forty still wait. */
async function plant(): Promise<void> {
  await openStore(file, new Bells()).close();
  const database = new DatabaseSync(file);
  const now = Date.now();
  const count = (n: number): string =>
    `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${n - 1})`;
  const appOf = `iif(i % 50000 = 7, i / 50000 % ${apps}, 0)`;
  const minute = now - (now % 60_000);
  const at = `${now} - (${calls} - i) * 80`;
  database.exec(`BEGIN;
    ${count(apps)} INSERT INTO apps (id, environment_id, name, state, created_at, layout, version)
      SELECT printf('ap-%022d', i), (SELECT id FROM environments LIMIT 1), 'app-' || i, 'deployed', ${now}, '{"functionIds":{},"classIds":{}}', 1 FROM n;
    ${count(apps)} INSERT INTO functions (id, app_id, name, definition_id, client_version, image_id, policy, created_at)
      SELECT printf('fu-%022d', i), printf('ap-%022d', i), 'f' || i, 'de-' || i, '1.6.4', '', '{}', ${now} FROM n;
    ${count(calls)} INSERT INTO calls (id, function_id, app_id, state, shape, invocation, inputs, unfinished, failed, created_at, finished_at)
      SELECT printf('fc-%022d', i), printf('fu-%022d', ${appOf}), printf('ap-%022d', ${appOf}),
        iif(i % 25000 = 11, 'closed', 'finished'), 'unary', 'async', 1, iif(i % 25000 = 11, 1, 0), iif(i % 10000 = 5, 1, 0), ${at},
        iif(i % 25000 = 11, NULL, ${at} + 20) FROM n;
    ${count(calls)} INSERT INTO inputs (id, call_id, function_id, idx, state, payload, attempt, crashes, output)
      SELECT printf('in-%022d', i), printf('fc-%022d', i), printf('fu-%022d', ${appOf}), 0, iif(i % 25000 = 11, 'delayed', 'done'),
        x'', 1, 0, iif(i % 25000 = 11, NULL, i + 1) FROM n;
    ${count(calls)} INSERT INTO outputs (entry, call_id, input_id, idx, result, data_format, created_at)
      SELECT i + 1, printf('fc-%022d', i), printf('in-%022d', i), 0, x'0801', 1, ${at} + 20 FROM n;
    ${count(720)} INSERT INTO tallies (function_id, began_at, span, container_id, tally)
      SELECT printf('fu-%022d', 0), ${minute} - i * 60000, 60000, container, '${tally}'
      FROM n, (SELECT 'ta-1' AS container UNION ALL SELECT 'ta-2' UNION ALL SELECT 'ta-3' UNION ALL SELECT 'ta-4');
    ${count(30 * 24)} INSERT INTO tallies (function_id, began_at, span, container_id, tally)
      SELECT printf('fu-%022d', 0), ${minute} - (12 + i) * 3600000, 3600000, '', '${tally}' FROM n;
    COMMIT; PRAGMA wal_checkpoint(TRUNCATE)`);
  database.close();
  const { uid, gid } = statSync(join(data, "server"));
  for (const name of readdirSync(join(data, "server"))) chownSync(join(data, "server", name), uid, gid);
}

await (await Platform.start({ data, runtime: "process" })).stop();
await plant();
await using _platform = await Platform.start({ data, runtime: "process", args: ["--log-level", "warn"] });
using client = new PlatformClient(await findProfile(data, {}));
const operators = operator.Operators.method;
const list = (narrowed: Partial<Parameters<typeof ask>[0]>) => () => ask(narrowed);
const ask = (narrowed: { app?: string; function?: string; state?: operator.CallState }) =>
  client.ask(operators.listCalls, { limit: 100, ...narrowed });
const busiest = `fu-${"0".repeat(22)}`;
const days = (count: number) => {
  const now = Date.now();
  return { since: timestampFromMs(now - count * 86_400_000), until: timestampFromMs(now) };
};
const some = `fc-${String(calls - 3).padStart(22, "0")}`;
const questions: Record<string, () => Promise<unknown>> = {
  "modal app list": () => client.ask(ModalClient.method.appList, { environmentName: "" }),
  "modal app history": () => client.ask(ModalClient.method.appDeploymentHistory, { appId: `ap-${"0".repeat(22)}` }),
  "modal container list": () => client.ask(ModalClient.method.taskList, { environmentName: "" }),
  "lydian status": async () => {
    for await (const status of client.follow(operators.getStatus, {})) return status;
    return undefined;
  },
  "lydian call list": list({}),
  "… of the app with nearly all": list({ app: "app-0" }),
  "… of an app with few": list({ app: "app-7" }),
  "… of an app with none": list({ app: `app-${apps - 1}` }),
  "… of a function with few": list({ function: "f7" }),
  "… that failed": list({ state: operator.CallState.FAILED }),
  "… that are open": list({ state: operator.CallState.OPEN }),
  "lydian call inspect": () => client.ask(operators.inspectCall, { callId: some }),
  "modal function calls": () =>
    client.ask(ModalClient.method.functionCallFetch, {
      functionId: busiest,
      queryOneof: { case: "tail", value: { count: 10 } },
    }),
  "… counted over an hour": () =>
    client.ask(ModalClient.method.functionCallCount, { functionId: busiest, ...days(1 / 24), bucketSecs: 60 }),
  "modal function stats over 7 days": () =>
    client.ask(ModalClient.method.functionGetTimeRangeStats, { functionId: busiest, ...days(7) }),
  "modal function metrics over 31 days": () =>
    client.ask(ModalClient.method.functionGetMetrics, { functionId: busiest, ...days(31) }),
  "modal app stats over 7 days": () =>
    client.ask(ModalClient.method.appGetTimeRangeStats, { appId: `ap-${"0".repeat(22)}`, ...days(7) }),
  "lydian schedule list": () => client.ask(operators.listSchedules, {}),
};
const rows: string[][] = [];
for (const [what, question] of Object.entries(questions)) {
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const began = performance.now();
    await question();
    if (round > 0) times.push(performance.now() - began);
  }
  rows.push([what, ms(median(times)), ms(percentile(times, 1))]);
}
printTable(`${calls} calls are kept (${(statSync(file).size / 1e6).toFixed(0)} MB)`, [
  ["", "median", "longest"],
  ...rows,
]);
