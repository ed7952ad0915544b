/** Which schedules an app has: those of the functions that its deployment names, until the next one or its end. */
import { isDeepStrictEqual } from "node:util";

import { DataFormat, type Function } from "@lydian/contract";

import type { App } from "../domain/app.ts";
import { schedulesBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import type { Schedule } from "../domain/schedule.ts";
import type { Tx } from "../domain/store.ts";
import { decodeDefinition } from "../functions/definition.ts";
import { nextRun } from "./next-run.ts";
import { scheduleRule } from "./rule.ts";

/**
 * To be called when an app was deployed. A period begins anew, as the clients document it; a cron rule that stays the same
 * keeps its moment, also one that has come and was not looked at yet.
 */
export async function arrangeSchedules(tx: Tx, app: App, { now }: Context): Promise<void> {
  const before = new Map((await tx.schedules.ofApp(app.id)).map((each) => [each.functionId as string, each]));
  for (const functionId of Object.values(app.layout.functionIds)) {
    const record = await tx.functions.get(functionId);
    const definition = record && record.definition.length > 0 ? decodeDefinition(record) : undefined;
    const rule = definition && scheduleRule(definition);
    if (record === undefined || definition === undefined || rule === undefined) continue;
    const known = before.get(record.id);
    before.delete(record.id);
    if (known !== undefined && rule.kind === "cron" && isDeepStrictEqual(rule, known.rule)) continue;
    const dueAt = nextRun(rule, now, now);
    if (dueAt === undefined) await tx.schedules.remove(record.id);
    else {
      const { id, appId } = record;
      const format = inputFormat(definition);
      await tx.schedules.put({
        functionId: id,
        appId,
        rule,
        format,
        anchor: now,
        dueAt,
        setAt: now,
        last: known?.last,
      });
    }
  }
  for (const functionId of before.keys()) await tx.schedules.remove(functionId);
  tx.ring(schedulesBell);
}

function inputFormat({ supportedInputFormats: known }: Function): Schedule["format"] {
  return known.length > 0 && !known.includes(DataFormat.PICKLE) ? "cbor" : "pickle";
}

/** To be called when an app stops: nothing of it is called any more. */
export async function dropSchedules(tx: Tx, appId: string): Promise<void> {
  for (const { functionId } of await tx.schedules.ofApp(appId)) await tx.schedules.remove(functionId);
}

/** A cron rule that has run does not run again because a clock has gone back by less. */
const smallStepMs = 3_600_000;

/** Moments that were set by a clock that has gone back since are found anew from the present one: they may lie years ahead. */
export async function resetFuture(tx: Tx, { now }: Context): Promise<void> {
  for (const schedule of await tx.schedules.setAfter(now)) {
    const { rule, setAt, functionId } = schedule;
    if (rule.kind === "cron" && setAt - now < smallStepMs) continue;
    const dueAt = nextRun(rule, now, now);
    if (dueAt === undefined) await tx.schedules.remove(functionId);
    else await tx.schedules.put({ ...schedule, anchor: now, dueAt, setAt: now });
  }
}
