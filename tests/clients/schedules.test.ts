/** The guide's nightly pipeline: deployed by day, and run by its schedule in a platform whose clock then shows the night. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Platform,
  missingClient,
  modal,
  newestClient,
  runLydian,
  temporaryFolder,
  usualRuntime,
} from "@lydian/testkit";

const skip = usualRuntime === "runc" ? missingClient(newestClient) : "volumes need containers";

/** Flags of node with which a platform's clock shows another time; it goes on from there. */
function clockAhead(ms: number): string[] {
  return [`--import=data:text/javascript,Date.now=((now)=>()=>now()+${ms})(Date.now)`];
}

interface Scheduled {
  appName: string;
  functionName: string;
  rule: string;
  nextAtMs: string;
  lastCallId?: string;
  lastState?: string;
}

const dayMs = 86_400_000;

test("it runs at two in the night, once, over a restart", { skip, timeout: 300_000 }, async () => {
  await using folder = await temporaryFolder();
  const says = async (platform: Platform, ...args: string[]): Promise<string> => {
    await using run = modal(platform, newestClient, args);
    return await run.finishWith(0);
  };
  const lydian = async (...args: string[]): Promise<string> => {
    await using run = runLydian([...args, "--data", folder.path]);
    await run.finishWith(0);
    return run.stdout;
  };
  const listed = async (): Promise<Scheduled[]> =>
    (JSON.parse(await lydian("schedule", "list", "--json")) as { schedules: Scheduled[] }).schedules;

  let nextAt: number;
  {
    await using byDay = await Platform.start({ data: folder.path });
    await says(byDay, "secret", "create", "database-creds", "DB_URL=postgres://here");
    await says(byDay, "deploy", "examples/python/guide/scheduled_pipeline.py");
    assert.match(
      await lydian("schedule", "list"),
      /^data-pipeline +daily_etl +main +by cron "0 2 \* \* \*" in UTC +20/m,
    );
    const [schedule] = await listed();
    nextAt = Number(schedule?.nextAtMs);
    assert.equal(nextAt % dayMs, 2 * 3_600_000);
    assert.ok(nextAt > Date.now() && nextAt <= Date.now() + dayMs);
    const said = `Function "daily_etl" runs by cron "0 2 * * *" in UTC, next at ${new Date(nextAt).toISOString()}.`;
    await using log = modal(byDay, newestClient, ["app", "logs", "-f", "data-pipeline"]);
    await log.sees(said);
    await log[Symbol.asyncDispose]();
    await byDay.stop();
  }
  await using byNight = await Platform.start({
    data: folder.path,
    nodeArgs: clockAhead(nextAt - 3_000 - Date.now()),
  });
  await using log = modal(byNight, newestClient, ["app", "logs", "-f", "data-pipeline"]);
  await log.sees("Processed 3 records", 120_000);
  const until = async (): Promise<Scheduled> => {
    const [schedule] = await listed();
    return schedule?.lastState === "SUCCEEDED" ? schedule : await until();
  };
  const after = await until();
  assert.equal(Number(after.nextAtMs), nextAt + dayMs);
  const { calls } = JSON.parse(await lydian("call", "list", "--function", "daily_etl", "--json")) as {
    calls: { callId: string; createdAtMs: string }[];
  };
  assert.deepEqual(
    calls.map(({ callId }) => callId),
    [after.lastCallId],
  );
  const late = Number(calls[0]?.createdAtMs) - nextAt;
  assert.ok(late >= 0 && late < 60_000, `${late} ms after two`);
  assert.match(
    await says(byNight, "volume", "get", "data-volume", "processed.json", "-"),
    /"from": "postgres:\/\/here"/,
  );

  assert.match(await lydian("schedule", "run", "data-pipeline::daily_etl"), /^fc-\w+ is queued/);
  await using wrong = runLydian(["schedule", "run", "data-pipeline::nightly", "--data", folder.path]);
  await wrong.finishWith(1);
  assert.match(wrong.output, /App "data-pipeline" has no function "nightly".*There are: daily_etl/);
});
