/** Schedules as their operator reads them, and a run beside them that the operator asks for. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { operator } from "@lydian/contract";

import { deployedApp } from "../apps/known.ts";
import { callStates } from "../calls/report.ts";
import type { CallLimits } from "../calls/submit.ts";
import { type Call, outcomeOf } from "../domain/call.ts";
import type { Context } from "../domain/context.ts";
import { ruleText, type Schedule } from "../domain/schedule.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";
import type { Notice } from "../logs/log-book.ts";
import { callScheduled } from "./call.ts";

type Summary = MessageInitShape<typeof operator.ScheduleSummarySchema>;

export async function listSchedules(
  tx: Tx,
  { app: asked, environment }: Pick<operator.ListSchedulesRequest, "app" | "environment">,
): Promise<Summary[]> {
  const appIds = asked === "" ? undefined : new Set(await tx.apps.named(asked));
  if (appIds?.size === 0) throw fail("notFound", `There is no app "${asked}".`);
  const environments = new Map((await tx.identity.environments()).map(({ id, name }) => [id, name]));
  if (environment !== "") await findEnvironment(tx, environment); // which says what there is
  const summaries: Summary[] = [];
  for (const schedule of await tx.schedules.all()) {
    const app = await tx.apps.get(schedule.appId);
    const name = environments.get(app?.environmentId ?? "en-");
    if (app === undefined || (appIds && !appIds.has(app.id)) || (environment !== "" && environment !== name)) continue;
    summaries.push({ ...(await summaryOf(tx, schedule)), appName: app.name, environment: name ?? "" });
  }
  return summaries;
}

async function summaryOf(tx: Tx, { functionId, appId, rule, dueAt, last }: Schedule): Promise<Summary> {
  const target = await tx.functions.target(functionId);
  const call = last && (await tx.calls.get(last.callId));
  return {
    appId,
    functionId,
    functionName: target?.name ?? "",
    rule: ruleText(rule),
    nextAtMs: BigInt(dueAt),
    lastAtMs: BigInt(last?.dueAt ?? 0),
    lastCallId: last?.callId ?? "",
    lastState: call === undefined ? operator.CallState.CALL_STATE_UNSPECIFIED : callStates[outcomeOf(call)],
  };
}

/** What a deployment says of them in its app's log. */
export async function nextRuns(tx: Tx, appId: string): Promise<Notice[]> {
  const notices: Notice[] = [];
  for (const { functionId, rule, dueAt } of await tx.schedules.ofApp(appId)) {
    const name = (await tx.functions.target(functionId))?.name ?? functionId;
    const text = `Function "${name}" runs ${ruleText(rule)}, next at ${new Date(dueAt).toISOString()}.\n`;
    notices.push({ to: { appId, functionId }, text });
  }
  return notices;
}

/** The schedule itself does not change. */
export async function runSchedule(
  tx: Tx,
  { app: name, function: functionName, environment }: operator.RunScheduleRequest,
  limits: CallLimits,
  context: Context,
): Promise<Call> {
  const app = await deployedApp(tx, environment, name);
  const functionId = app.layout.functionIds[functionName];
  const scheduled = await tx.schedules.ofApp(app.id);
  const schedule = scheduled.find((each) => each.functionId === functionId);
  if (schedule !== undefined) return await callScheduled(tx, schedule, limits, context);
  const names = Object.keys(app.layout.functionIds).filter((tag) =>
    scheduled.some((each) => each.functionId === app.layout.functionIds[tag]),
  );
  const what = functionId === undefined ? "has no function" : "has no schedule for the function";
  throw fail("notFound", `App "${app.name}" ${what} "${functionName}".`, {
    hint: names.length === 0 ? "None of its functions has a schedule" : `There are: ${names.toSorted().join(", ")}`,
  });
}
