/** The end of a container: what it held goes back, and an end that speaks against the function is counted. */
import { type Function, WebhookType } from "@lydian/contract";
import { type BackoffPolicy, backoffMs } from "@lydian/kit";

import { finishStop } from "../apps/stop.ts";
import { failInput, failUnfinished } from "../calls/sweep.ts";
import { releaseInputs } from "../calls/release.ts";
import { decodeDefinition } from "../functions/definition.ts";
import { drain } from "./begin.ts";
import { livesByHeartbeat } from "../domain/app.ts";
import { containerBell, demandBell } from "../domain/bells.ts";
import { type Container, type Exit, describeExit, isCrash } from "../domain/container.ts";
import type { Context } from "../domain/context.ts";
import { type CrashPolicy, defaultCrashPolicy } from "../domain/input.ts";
import type { Tx } from "../domain/store.ts";
import type { Result } from "../calls/result.ts";

/** For people, in an app's log. */
export interface Notice {
  to: { appId: string; functionId: string };
  text: string;
}

/** How long a function that outlives its client waits between containers that crash. */
const crashBackoff: BackoffPolicy = { initialMs: 1_000, factor: 2, maxMs: 300_000 };

/** Records the end once; told a second time, nothing changes. */
export async function endContainer(
  tx: Tx,
  containerId: string,
  exit: Exit,
  context: Context,
  policy: CrashPolicy = defaultCrashPolicy,
): Promise<void> {
  const container = await tx.containers.get(containerId);
  if (container === undefined || container.state === "gone") return;
  const reason = describeExit(exit);
  const held = await tx.inputs.heldBy(container.id);
  // Where an input was to be stopped, the container may have stopped with it.
  const crashed = isCrash(container, exit) && held.every(({ ending }) => ending === undefined);
  // What is deployed tries an input for as long as it takes, slower and slower, as a new deployment may mend it.
  const isBlamed = crashed && (await tx.apps.get(container.appId))?.state !== "deployed";
  await releaseInputs(tx, container, held, { crashed: isBlamed, reason }, policy, context);
  const last = (await tx.containers.get(container.id)) ?? container;
  await tx.containers.update({ ...last, state: "gone", held: 0, goneAt: context.now, goneReason: reason });
  const isError = crashed || (exit.reason === "exited" && container.readyAt === undefined);
  tx.tell({ kind: "containerGone", container, reason: exit.reason, isError, at: context.now });
  if (crashed) await countCrash(tx, container, exit, policy, context);
  await finishStop(tx, container.appId, context);
  tx.ring(containerBell(container.id));
  tx.ring(demandBell);
}

async function countCrash(
  tx: Tx,
  container: Container,
  exit: Exit,
  policy: CrashPolicy,
  context: Context,
): Promise<void> {
  const demand = await tx.functions.demand(container.functionId);
  const app = await tx.apps.get(container.appId);
  if (demand === undefined || app === undefined) return;
  const streak = demand.crashStreak + 1;
  if (!livesByHeartbeat(app.state)) {
    if (container.definitionId !== demand.definitionId) return; // it is replaced
    await tx.functions.setCrashes(container.functionId, streak, context.now + backoffMs(crashBackoff, streak));
    return;
  }
  // Trying again cannot help what could not even be started.
  const hopeless = exit.reason === "failedToStart";
  if (streak < policy.streak && !hopeless) return tx.functions.setCrashes(container.functionId, streak, 0);
  const times = hopeless ? "" : `, the ${ordinal(streak)} in a row to end without finishing an input`;
  const message = `The container ${describeExit(exit)}${times}.`;
  await failUnfinished(tx, { waitingFor: container.functionId }, { status: "failure", message }, context);
  // Nobody waits any more; what is kept running without a call is tried again later.
  const kept = demand.policy.minContainers > 0;
  await tx.functions.setCrashes(container.functionId, 0, kept ? context.now + backoffMs(crashBackoff, streak) : 0);
}

/**
 * What it needs of the platform is not there, such as a secret that was deleted. To wait would not help, in whatever kind of
 * app: all that waits is told so.
 */
export async function cannotBegin(tx: Tx, containerId: string, why: string, context: Context): Promise<void> {
  const container = await tx.containers.get(containerId);
  if (container === undefined || container.state === "gone") return;
  await endContainer(tx, container.id, { reason: "stopped" }, context);
  await failWaiting(tx, container.functionId, why, context);
}

/** Containers of the function cannot begin: all that waits for one is told why; what is always kept is tried again later. */
export async function failWaiting(tx: Tx, functionId: string, why: string, context: Context): Promise<void> {
  const failure = { status: "failure", message: `Its container could not be started. ${why}` } as const;
  await failUnfinished(tx, { waitingFor: functionId }, failure, context);
  const demand = await tx.functions.demand(functionId);
  if (demand === undefined || demand.policy.minContainers === 0) return;
  const streak = demand.crashStreak + 1;
  await tx.functions.setCrashes(functionId, streak, context.now + backoffMs(crashBackoff, streak));
}

/**
 * It did not say a word in the time that it has for that: this counts like one that could not be started, and it is
 * killed. Answers what its app's log is to say.
 */
export async function startedTooLate(
  tx: Tx,
  containerId: string,
  context: Context,
  policy: CrashPolicy = defaultCrashPolicy,
): Promise<Notice | undefined> {
  const container = await tx.containers.get(containerId);
  if (container?.state !== "assigned" && container?.state !== "starting") return undefined;
  await drain(tx, container.id, context.now);
  const seconds = Math.round((context.now - container.idleSince) / 1000);
  const what = container.state === "assigned" ? "its image and packages were" : "it was";
  const message = `${what} not ready after ${seconds} s${await hintFor(tx, container)}`;
  await countCrash(tx, container, { reason: "failedToStart", message }, policy, context);
  const { appId, functionId } = container;
  return { to: { appId, functionId }, text: `A container could not be started: ${message}.` };
}

/** What the clients cannot know: they wait for the function before they wait for its port. */
async function hintFor(tx: Tx, { functionId }: Container): Promise<string> {
  const record = await tx.functions.get(functionId);
  const isServer = record !== undefined && webTypesOf(decodeDefinition(record)).includes(WebhookType.WEB_SERVER);
  if (!isServer) return "";
  return "; a function with @modal.web_server has to start its server and return: use subprocess.Popen, or a thread";
}

function webTypesOf({ webhookConfig, methodDefinitions }: Function): (WebhookType | undefined)[] {
  return [webhookConfig, ...Object.values(methodDefinitions).map((method) => method.webhookConfig)].map(
    (of) => of?.type,
  );
}

function ordinal(count: number): string {
  return count === 2 ? "second" : count === 3 ? "third" : `${count}th`;
}

/**
 * The container's own word that it cannot start, such as an import that failed: the result goes to what waits, at once
 * where somebody is there to see it. A function that outlives its client keeps its inputs and tries again, slower and
 * slower, as a new deployment or a dependency that comes back may mend it.
 */
export async function failedToInitialize(tx: Tx, containerId: string, result: Result, context: Context): Promise<void> {
  const container = await tx.containers.get(containerId);
  if (container === undefined || container.state === "gone") return;
  const app = await tx.apps.get(container.appId);
  const demand = await tx.functions.demand(container.functionId);
  if (app === undefined || demand === undefined) return;
  if (livesByHeartbeat(app.state)) {
    for (const input of await tx.inputs.heldBy(container.id)) await failInput(tx, input, result, context);
    await failUnfinished(tx, { waitingFor: container.functionId }, result, context);
    if (demand.policy.minContainers > 0) {
      const streak = demand.crashStreak + 1;
      await tx.functions.setCrashes(container.functionId, streak, context.now + backoffMs(crashBackoff, streak));
    }
  } else if (container.state !== "draining") {
    // Said for the first time; the request may come again.
    const streak = demand.crashStreak + 1;
    await tx.functions.setCrashes(container.functionId, streak, context.now + backoffMs(crashBackoff, streak));
  }
  const now = (await tx.containers.get(container.id)) ?? container;
  await tx.containers.update({ ...now, state: "draining", killAt: context.now + 5_000 });
  tx.ring(demandBell);
}
