/** Apps: create, keep alive, publish, leave, stop. */
import { toBinary } from "@bufbuild/protobuf";
import {
  AppCreateResponseSchema,
  AppDisconnectReason,
  type AppPublishRequest,
  AppPublishResponseSchema,
  AppState,
  CommitInfoSchema,
  type ModalClient,
} from "@lydian/contract";

import { createApp } from "../apps/create.ts";
import { knownApp } from "../apps/known.ts";
import type { Departure } from "../apps/presence.ts";
import { deployApp, type DeployRequest, publishApp } from "../apps/publish.ts";
import { stopApp } from "../apps/stop.ts";
import { checkedTags, checkTag } from "../apps/tags.ts";
import { isAlive } from "../domain/app.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import type { Notice } from "../logs/log-book.ts";
import { nextRuns } from "../schedules/report.ts";
import { type Rpcs, user, type UserCaller } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import { type Platform, actorOf, contextOf, once, pageOf, toSeconds } from "./platform.ts";

/** States that a client can ask for. */
function askedState(state: AppState): "initializing" | "ephemeral" | "detached" | "deployed" {
  switch (state) {
    case AppState.UNSPECIFIED:
    case AppState.EPHEMERAL:
      return "ephemeral";
    case AppState.DETACHED:
      return "detached";
    case AppState.INITIALIZING:
      return "initializing";
    case AppState.DEPLOYED:
      return "deployed";
    default:
      throw fail("invalidArgument", `An app cannot be asked to be in state ${state}.`);
  }
}

function departure(reason: AppDisconnectReason): Departure {
  switch (reason) {
    case AppDisconnectReason.KEYBOARD_INTERRUPT:
      return "interrupted";
    case AppDisconnectReason.LOCAL_EXCEPTION:
    case AppDisconnectReason.REMOTE_EXCEPTION:
    case AppDisconnectReason.DEPLOYMENT_EXCEPTION:
      return "failed";
    default:
      return "done";
  }
}

export function appRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, presence } = platform;
  return {
    appCreate: user(async (request, call) => {
      const reply = await once(platform, call, AppCreateResponseSchema, async (tx, context) => {
        const { description: name, environmentName: environment, tags } = request;
        const state = askedState(request.appState);
        const createdBy = await actorOf(tx, call.caller);
        const app = await createApp(tx, { name, environment, state, createdBy, tags: checkedTags(tags) }, context);
        return { appId: app.id, appPageUrl: pageOf(platform, app.id), appLogsUrl: pageOf(platform, app.id) };
      });
      presence.heard(reply.appId ?? "");
      return reply;
    }),
    appHeartbeat: user(async ({ appId }) => {
      const app = await store.read((tx) => knownApp(tx, appId));
      if (isAlive(app.state)) presence.heard(appId);
      return {};
    }),
    appPublish: user(async (request, call) => {
      const { appId, functionIds, classIds } = request;
      const layout = { functionIds, classIds };
      const state = publishedState(request.appState);
      let runs: Notice[] = [];
      const reply = await once(platform, call, AppPublishResponseSchema, async (tx, context) => {
        if (state !== "deployed") {
          await publishApp(tx, { appId, state, layout }, context);
          return { url: pageOf(platform, appId), deployedAt: toSeconds(context.now) };
        }
        const deployed = await deployApp(tx, { ...(await deploymentIn(tx, request, call)), layout }, context);
        if (deployed === undefined) return { url: pageOf(platform, appId) };
        if (!request.staged) runs = await nextRuns(tx, appId);
        return { url: pageOf(platform, appId), deployedAt: toSeconds(context.now) };
      });
      for (const { to, text } of runs) platform.tell(to, text);
      return reply;
    }),
    appClientDisconnect: user(async ({ appId, reason }) => {
      await store.write(async (tx) => {
        const app = await tx.apps.get(appId);
        if (app !== undefined) await presence.departed(tx, app, departure(reason));
      });
      return {};
    }),
    appStop: user(async ({ appId }, { caller }) => {
      await store.write(async (tx) => {
        const app = await knownApp(tx, appId);
        const stoppedBy = await actorOf(tx, caller);
        const graceMs = platform.config.times.drainGrace;
        await stopApp(tx, app, { reason: "The app was stopped.", stoppedBy, graceMs }, contextOf(platform));
      });
      return {};
    }),
  };
}

/** What a deploy says of itself. */
async function deploymentIn(
  tx: Tx,
  request: AppPublishRequest,
  call: Call<UserCaller>,
): Promise<Omit<DeployRequest, "layout">> {
  const { appId, name, deploymentTag: tag, definitionIds: definitions, staged: isStaged, commitInfo, tags } = request;
  checkTag(tag);
  return {
    appId,
    name,
    isStaged,
    definitions,
    tag,
    tags: checkedTags(tags),
    clientVersion: call.clientVersion ?? "",
    deployedBy: await actorOf(tx, call.caller),
    revision: commitInfo === undefined ? new Uint8Array() : toBinary(CommitInfoSchema, commitInfo),
  };
}

function publishedState(state: AppState): "ephemeral" | "detached" | "deployed" {
  const asked = askedState(state);
  if (asked === "initializing") throw fail("invalidArgument", "An app is not published to be initializing.");
  return asked;
}
