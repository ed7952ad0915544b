/** Apps: create, keep alive, publish, leave, stop. */
import {
  AppCreateResponseSchema,
  AppDisconnectReason,
  AppPublishResponseSchema,
  AppState,
  type ModalClient,
} from "@lydian/contract";

import { createApp, knownApp, publishApp } from "../apps/create.ts";
import type { Departure } from "../apps/presence.ts";
import { stopApp } from "../apps/stop.ts";
import { isAlive } from "../domain/app.ts";
import { fail } from "../errors.ts";
import type { Notice } from "../logs/log-book.ts";
import { nextRuns } from "../schedules/report.ts";
import { type Rpcs, user } from "./adapter-access.ts";
import { type Platform, contextOf, once, toSeconds } from "./platform.ts";

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
  const pageOf = (id: string): string => `${platform.config.publicUrl}/apps/${id}`;
  return {
    appCreate: user(async (request, call) => {
      const reply = await once(platform, call, AppCreateResponseSchema, async (tx, context) => {
        const { description: name, environmentName: environment } = request;
        const app = await createApp(tx, { name, environment, state: askedState(request.appState) }, context);
        return { appId: app.id, appPageUrl: pageOf(app.id), appLogsUrl: pageOf(app.id) };
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
      const { appId, functionIds, classIds, name } = request;
      const state = publishedState(request.appState);
      let runs: Notice[] = [];
      const reply = await once(platform, call, AppPublishResponseSchema, async (tx, context) => {
        await publishApp(tx, { appId, name, state, layout: { functionIds, classIds } }, context);
        runs = await nextRuns(tx, appId);
        return { url: pageOf(appId), deployedAt: toSeconds(context.now) };
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
    appStop: user(async ({ appId }) => {
      await store.write(async (tx) => {
        const app = await knownApp(tx, appId);
        await stopApp(
          tx,
          app,
          { reason: "The app was stopped.", graceMs: platform.config.times.drainGrace },
          contextOf(platform),
        );
      });
      return {};
    }),
  };
}

function publishedState(state: AppState): "ephemeral" | "detached" | "deployed" {
  const asked = askedState(state);
  if (asked === "initializing") throw fail("invalidArgument", "An app is not published to be initializing.");
  return asked;
}
