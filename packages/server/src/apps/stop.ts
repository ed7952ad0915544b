/** Ends an app: no new calls, nothing that runs is left, and its log is closed when the last container is gone. */
import { failUnfinished } from "../calls/sweep.ts";
import { drain } from "../containers/begin.ts";
import { type App, isAlive } from "../domain/app.ts";
import { demandBell, logsBell } from "../domain/bells.ts";
import type { ContainerState } from "../domain/container.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import { dropVersions } from "./deploy.ts";
import { dropSchedules } from "../schedules/arrange.ts";

const living: readonly ContainerState[] = ["assigned", "starting", "ready", "draining"];

export interface StopOptions {
  /** Who asked for it; empty when nobody did. */
  stoppedBy?: string;
  /** For the callers of what was not finished. */
  reason: string;
  /** How long idle containers may take for their exit hooks; those in the middle of an input are killed at once. */
  graceMs: number;
}

/** Stopping what has stopped changes nothing. */
export async function stopApp(tx: Tx, app: App, options: StopOptions, context: Context): Promise<void> {
  if (!isAlive(app.state)) return;
  await tx.apps.update({ ...app, state: "stopping", stoppedBy: options.stoppedBy ?? "" });
  const containers = await tx.containers.ofApp(app.id, living);
  for (const { id, state, held } of containers) {
    const gently = state === "ready" && held === 0;
    await drain(tx, id, context.now + (gently ? options.graceMs : 0));
  }
  for (const { id } of await tx.functions.ofApp(app.id)) {
    await failUnfinished(tx, { functionId: id }, { status: "terminated", message: options.reason }, context);
  }
  await dropSchedules(tx, app.id);
  await tx.calls.closeOf(app.id, context.now);
  await finishStop(tx, app.id, context);
  tx.ring(demandBell);
}

/** To be called whenever a container of the app is gone, or the last of a function's inputs has ended. */
export async function finishStop(tx: Tx, appId: string, context: Context): Promise<void> {
  const app = await tx.apps.get(appId);
  if (app?.state !== "stopping") return;
  if ((await tx.containers.ofApp(appId, living)).length > 0 || (await hasWork(tx, appId))) return;
  await tx.apps.update({ ...app, state: "stopped", stoppedAt: context.now });
  await tx.secrets.leave(appId);
  await dropVersions(tx, appId);
  tx.ring(logsBell(appId));
}

/** Whether an input of the app has no output yet. */
export async function hasWork(tx: Tx, appId: string): Promise<boolean> {
  for (const { id } of await tx.functions.ofApp(appId)) {
    const demand = await tx.functions.demand(id);
    if (demand !== undefined && demand.queued + demand.claimed + demand.delayed > 0) return true;
  }
  return false;
}
