/** Versions of deployed apps: their history, one of them put into effect again; and what an app consists of. */
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type AppDeploymentHistorySchema,
  type AppGetInfoResponse_FunctionInfoSummarySchema,
  AppRollbackResponseSchema,
  CommitInfoSchema,
  DeploymentType,
  type Function,
  type ModalClient,
} from "@lydian/contract";

import { knownApp, livingApp } from "../apps/known.ts";
import { promote, rollBack, rollOver } from "../apps/deploy.ts";
import { checkedTags } from "../apps/tags.ts";
import type { App } from "../domain/app.ts";
import type { Context } from "../domain/context.ts";
import type { Deployment, DeploymentKind } from "../domain/deployment.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { decodeDefinition } from "../functions/definition.ts";
import type { Notice } from "../logs/log-book.ts";
import { nextRuns } from "../schedules/report.ts";
import { type Rpcs, user, type UserCaller } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import { lifecycleOf } from "./app-lookups.ts";
import { type Platform, actorOf, once, pageOf, toSeconds } from "./platform.ts";

/** Of one answer. */
const mostVersions = 1_000;

const types: Record<DeploymentKind, DeploymentType> = {
  standard: DeploymentType.STANDARD,
  rollback: DeploymentType.ROLLBACK,
  rollover: DeploymentType.ROLLOVER,
  promotion: DeploymentType.PROMOTION,
  staged: DeploymentType.STAGED,
};

type Origin = Parameters<typeof rollOver>[2];
type Act = (tx: Tx, app: App, origin: Origin, context: Context) => Promise<App>;

export function deploymentRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store } = platform;
  return {
    appDeploymentHistory: user(({ appId }) =>
      store.read(async (tx) => {
        const app = await knownApp(tx, appId);
        const versions = await tx.deployments.ofApp(app.id, mostVersions);
        return {
          appDeploymentHistories: versions.map((each) => entryOf(each, app)),
          productionAppVersion: app.version,
        };
      }),
    ),
    appRollback: user(({ appId, version }, call) =>
      redeployed(platform, call, appId, (tx, app, origin, context) => rollBack(tx, app, version, origin, context)),
    ),
    appRollover: user(({ appId }, call) => redeployed(platform, call, appId, rollOver)),
    appPromote: user(({ appId, version }, call) =>
      redeployed(platform, call, appId, (tx, app, origin, context) => promote(tx, app, version, origin, context)),
    ),
    appSetTags: user(async ({ appId, tags }) => {
      await store.write(async (tx) => {
        await tx.apps.update({ ...(await livingApp(tx, appId)), tags: checkedTags(tags) });
      });
      return {};
    }),
    appGetTags: user(({ appId }) => store.read(async (tx) => ({ tags: { ...(await knownApp(tx, appId)).tags } }))),
    appGetInfo: user(({ appId }) => store.read((tx) => infoOf(tx, appId))),
  };
}

/** A version put into effect again: what its reply says, and what the app's log does. */
async function redeployed(
  platform: Platform,
  call: Call<UserCaller>,
  appId: string,
  act: Act,
): Promise<{ url: string; deployedAt: number }> {
  let runs: Notice[] = [];
  // The three replies say the same.
  const reply = await once(platform, call, AppRollbackResponseSchema, async (tx, context) => {
    const app = await livingApp(tx, appId);
    if (app.state !== "deployed") throw fail("failedPrecondition", `App ${appId} is not deployed.`);
    await act(
      tx,
      app,
      { deployedBy: await actorOf(tx, call.caller), clientVersion: call.clientVersion ?? "" },
      context,
    );
    runs = await nextRuns(tx, appId);
    return { url: pageOf(platform, appId), deployedAt: toSeconds(context.now) };
  });
  for (const { to, text } of runs) platform.tell(to, text);
  const { url = "", deployedAt = 0 } = reply;
  return { url, deployedAt };
}

function entryOf(deployment: Deployment, app: App): MessageInitShape<typeof AppDeploymentHistorySchema> {
  const { appId, version, clientVersion, deployedBy, tag, madeFrom, revision, kind } = deployment;
  return {
    ...{ appId, version, clientVersion, deployedBy, tag, rollbackVersion: madeFrom },
    deployedAt: toSeconds(deployment.deployedAt),
    rollbackAllowed: deployment.isKept && app.state === "deployed",
    deploymentType: types[kind],
    ...(revision.length > 0 && { commitInfo: fromBinary(CommitInfoSchema, revision) }),
  };
}

async function infoOf(tx: Tx, appId: string) {
  const app = await knownApp(tx, appId);
  const environment = (await tx.identity.environments()).find(({ id }) => id === app.environmentId);
  const summaries: Record<string, MessageInitShape<typeof AppGetInfoResponse_FunctionInfoSummarySchema>> = {};
  for (const functionId of Object.values(app.layout.functionIds)) {
    const record = await tx.functions.get(functionId);
    if (record === undefined || record.definition.length === 0) continue;
    summaries[functionId] = summaryOf(decodeDefinition(record));
  }
  return {
    info: {
      appId: app.id,
      description: app.name,
      environmentName: environment?.name ?? "",
      lifecycle: lifecycleOf(app),
      functions: { ...app.layout.functionIds },
    },
    functionInfoSummaries: summaries,
  };
}

function summaryOf(definition: Function): MessageInitShape<typeof AppGetInfoResponse_FunctionInfoSummarySchema> {
  const { resources, schedule, webhookConfig } = definition;
  const gpu = resources?.gpuConfig;
  const isWeb = (webhookConfig?.type ?? 0) !== 0;
  return {
    gpuConfig: gpu !== undefined && gpu.count > 0 ? [gpu] : [],
    webFunction: isWeb,
    ...(schedule && { schedule }),
    ...(isWeb && { requiresProxyAuth: webhookConfig?.requiresProxyAuth === true }),
  };
}
