/** Deployments: an app's functions put into effect all at once, as a version that can be put into effect again. */
import { isDeepStrictEqual } from "node:util";

import { drain, exitGraceMs } from "../containers/begin.ts";
import type { App, AppLayout } from "../domain/app.ts";
import type { Container } from "../domain/container.ts";
import { demandBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import type { DeploymentKind } from "../domain/deployment.ts";
import type { FunctionRecord } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { decodeDefinition } from "../functions/definition.ts";
import { takesInputsOf } from "../functions/successor.ts";
import { differs, putInEffect, retire } from "../functions/editions.ts";
import { knownVersion } from "./known.ts";
import { arrangeSchedules } from "../schedules/arrange.ts";
import { claimAddresses } from "../web/endpoints.ts";

/** Versions of an app, besides the one in effect, that can be put into effect again. */
const keptVersions = 50;

/** Who deployed, and from what. */
export interface Origin {
  deployedBy: string;
  clientVersion: string;
  tag: string;
  /** The wire's CommitInfo, serialized. */
  revision: Uint8Array;
}

export interface NewDeployment extends Origin {
  kind: DeploymentKind;
  madeFrom: number;
  layout: AppLayout;
  /** Which definition each function is to have; of one that is not named, what it has. */
  definitions: Readonly<Record<string, string>>;
}

/** Answers the app as it is from now on, or undefined when nothing about it would change: then nothing was written. */
export async function deploy(tx: Tx, app: App, wanted: NewDeployment, context: Context): Promise<App | undefined> {
  const { kind, layout, deployedBy } = wanted;
  const [last] = await tx.deployments.ofApp(app.id, 1);
  const changed = await changedFunctions(tx, wanted);
  const inEffect = await tx.deployments.get(app.id, app.version);
  const isSame =
    inEffect !== undefined &&
    changed.length === 0 &&
    isDeepStrictEqual(inEffect.layout, layout) &&
    (wanted.tag === "" || wanted.tag === inEffect.tag);
  if (kind === "standard" && isSame && app.state === "deployed") return undefined;
  const version = (last?.version ?? 0) + 1;
  const definitions = await definitionsOf(tx, wanted);
  const { deployedBy: by, clientVersion, tag, revision, madeFrom } = wanted;
  const facts = { kind, madeFrom, deployedAt: context.now, deployedBy: by, clientVersion, tag, revision };
  await tx.deployments.insert({ appId: app.id, version, ...facts, isKept: true, layout, definitions });
  if (kind === "staged") return app;
  for (const definitionId of changed) await putInEffect(tx, definitionId);
  const named = new Set(Object.values(layout.functionIds));
  for (const record of await tx.functions.ofApp(app.id)) {
    if (!named.has(record.id) && record.binding === undefined) await retire(tx, record);
  }
  const deployed: App = { ...app, state: "deployed", layout, version, deployedAt: context.now, deployedBy };
  await tx.apps.update(deployed);
  await claimAddresses(tx, layout);
  await replaceContainers(tx, app.id, context, "rolling");
  await arrangeSchedules(tx, deployed, context);
  await dropOldVersions(tx, deployed);
  tx.ring(demandBell);
  return deployed;
}

/** An earlier version anew; `version` -1 is the one before that in effect. */
export async function rollBack(
  tx: Tx,
  app: App,
  version: number,
  origin: Pick<Origin, "deployedBy" | "clientVersion">,
  context: Context,
): Promise<App> {
  const before = version === -1 ? app.version - 1 : version;
  if (version === -1 && before < 1) {
    throw fail("failedPrecondition", `App "${app.name}" has no version before v${app.version}.`);
  }
  return await again(tx, app, before, "rollback", origin, context);
}

/** A version that was staged, or any other one. */
export async function promote(
  tx: Tx,
  app: App,
  version: number,
  origin: Pick<Origin, "deployedBy" | "clientVersion">,
  context: Context,
): Promise<App> {
  return await again(tx, app, version, "promotion", origin, context);
}

/** The same version with new containers. */
export async function rollOver(
  tx: Tx,
  app: App,
  origin: Pick<Origin, "deployedBy" | "clientVersion">,
  context: Context,
): Promise<App> {
  const present = await knownVersion(tx, app, app.version);
  const definitions: Record<string, string> = {};
  for (const [functionId, definitionId] of Object.entries(present.definitions)) {
    const edition = await tx.editions.get(definitionId);
    if (edition === undefined) continue;
    const fresh = context.newId("de");
    await tx.editions.put({ ...edition, definitionId: fresh, createdAt: context.now });
    const uses = await tx.secrets.usesOf(definitionId);
    await tx.secrets.setUses(fresh, uses);
    definitions[functionId] = fresh;
  }
  const wanted = { ...present, definitions, ...origin, kind: "rollover", madeFrom: present.version } as const;
  return (await deploy(tx, app, wanted, context)) ?? app;
}

async function again(
  tx: Tx,
  app: App,
  version: number,
  kind: "rollback" | "promotion",
  origin: Pick<Origin, "deployedBy" | "clientVersion">,
  context: Context,
): Promise<App> {
  const old = await knownVersion(tx, app, version);
  if (!old.isKept) {
    throw fail("failedPrecondition", `Version v${version} of app "${app.name}" is too old: its functions are gone.`, {
      hint: `The last ${keptVersions} versions are kept: \`modal app history ${app.name}\``,
    });
  }
  return (await deploy(tx, app, { ...old, ...origin, kind, madeFrom: version }, context)) ?? app;
}

/** Ids of the definitions that would not be in effect otherwise. */
async function changedFunctions(tx: Tx, { layout, definitions }: NewDeployment): Promise<string[]> {
  const changed: string[] = [];
  for (const functionId of new Set(Object.values(layout.functionIds))) {
    const record = await tx.functions.get(functionId);
    if (record === undefined || !(await differs(tx, record, definitions[functionId]))) continue;
    changed.push(definitions[functionId] ?? record.definitionId);
  }
  return changed;
}

async function definitionsOf(tx: Tx, { layout, definitions }: NewDeployment): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const functionId of Object.values(layout.functionIds)) {
    const definitionId = definitions[functionId] ?? (await tx.functions.get(functionId))?.definitionId;
    if (definitionId !== undefined) all[functionId] = definitionId;
  }
  return all;
}

/**
 * Containers of other definitions take no more inputs, and have the time that those they hold may take; with `all`, of any.
 * With `rolling` those that are ready go on until the scheduler has others, where they understand what comes now.
 */
export async function replaceContainers(
  tx: Tx,
  appId: string,
  { now }: Context,
  which?: "all" | "rolling",
): Promise<void> {
  for (const container of await tx.containers.ofApp(appId, ["assigned", "starting", "ready"])) {
    const { id, functionId, definitionId, state } = container;
    const record = await tx.functions.get(functionId);
    if (record === undefined || (record.definitionId === definitionId && which !== "all")) continue;
    if (which === "rolling" && state === "ready" && (await understands(tx, container, record))) continue;
    await drain(tx, id, now + record.policy.timeoutMs + exitGraceMs);
  }
}

async function understands(tx: Tx, { definitionId }: Container, now: FunctionRecord): Promise<boolean> {
  const edition = await tx.editions.get(definitionId);
  return edition !== undefined && takesInputsOf(decodeDefinition(edition), decodeDefinition(now));
}

/** What containers are told of their environment has changed. */
export async function replaceContainersIn(tx: Tx, environmentId: string, context: Context): Promise<void> {
  for (const app of await tx.apps.inStates(["ephemeral", "detached", "disconnected", "deployed"])) {
    if (app.environmentId === environmentId) await replaceContainers(tx, app.id, context, "all");
  }
}

async function dropOldVersions(tx: Tx, { id, version }: App): Promise<void> {
  for (const old of await tx.deployments.keptBefore(id, version - keptVersions)) await tx.deployments.drop(id, old);
}

/** Of an app that has stopped: it is never deployed again. */
export async function dropVersions(tx: Tx, appId: string): Promise<void> {
  for (const old of await tx.deployments.keptBefore(appId, Number.MAX_SAFE_INTEGER))
    await tx.deployments.drop(appId, old);
}
