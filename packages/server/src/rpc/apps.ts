/** Apps: create, keep alive, publish, leave, stop. */
import {
  AppCreateResponseSchema,
  AppDisconnectReason,
  type AppLifecycleSchema,
  AppPublishResponseSchema,
  AppState,
  type ModalClient,
  ObjectCreationType,
} from "@lydian/contract";

import type { MessageInitShape } from "@bufbuild/protobuf";

import { createApp, deployedApp, deployedOrNewApp, publishApp } from "../apps/create.ts";
import type { Departure } from "../apps/presence.ts";
import { stopApp } from "../apps/stop.ts";
import type { App, AppState as State } from "../domain/app.ts";
import { isAlive } from "../domain/app.ts";
import { fail } from "../errors.ts";
import { appLayout } from "../functions/handle.ts";
import { findEnvironment } from "../identity/environments.ts";
import { type Rpcs, user, userOrContainer } from "./adapter-access.ts";
import { type Platform, contextOf, once, toSeconds } from "./platform.ts";

const wireStates: Record<State, AppState> = {
  initializing: AppState.INITIALIZING,
  ephemeral: AppState.EPHEMERAL,
  detached: AppState.DETACHED,
  disconnected: AppState.DETACHED_DISCONNECTED,
  deployed: AppState.DEPLOYED,
  stopping: AppState.STOPPING,
  stopped: AppState.STOPPED,
};

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
    appGetByDeploymentName: userOrContainer(({ name, environmentName }) =>
      store.read(async (tx) => {
        const environment = await findEnvironment(tx, environmentName);
        const app = await tx.apps.deployed(environment.id, name);
        if (app === undefined) return { environmentName: environment.name };
        return { appId: app.id, environmentName: environment.name, lifecycle: lifecycleOf(app) };
      }),
    ),
    appGetLayout: userOrContainer(({ appId }) =>
      store.read(async (tx) => ({ appLayout: await appLayout(tx, appById(await tx.apps.get(appId), appId)) })),
    ),
    appGetOrCreate: userOrContainer(async ({ appName: name, environmentName: environment, objectCreationType }) => {
      const orNew = objectCreationType === ObjectCreationType.CREATE_IF_MISSING;
      const app = orNew
        ? await store.write((tx) => deployedOrNewApp(tx, { name, environment }, contextOf(platform)))
        : await store.read((tx) => deployedApp(tx, environment, name));
      return { appId: app.id, handleMetadata: {} };
    }),
    appHeartbeat: user(async ({ appId }) => {
      const app = await store.read((tx) => tx.apps.get(appId));
      if (app === undefined) throw fail("notFound", `App ${appId} does not exist.`);
      if (isAlive(app.state)) presence.heard(appId);
      return {};
    }),
    appPublish: user((request, call) =>
      once(platform, call, AppPublishResponseSchema, async (tx, context) => {
        const { appId, functionIds, classIds, name } = request;
        const state = publishedState(request.appState);
        await publishApp(tx, { appId, name, state, layout: { functionIds, classIds } }, context);
        return { url: pageOf(appId), deployedAt: toSeconds(context.now) };
      }),
    ),
    appClientDisconnect: user(async ({ appId, reason }) => {
      await store.write(async (tx) => {
        const app = await tx.apps.get(appId);
        if (app !== undefined) await presence.departed(tx, app, departure(reason));
      });
      return {};
    }),
    appStop: user(async ({ appId }) => {
      await store.write(async (tx) => {
        const app = appById(await tx.apps.get(appId), appId);
        await stopApp(
          tx,
          app,
          { reason: "The app was stopped.", graceMs: platform.config.times.drainGrace },
          contextOf(platform),
        );
      });
      return {};
    }),
    appGetLifecycle: user(async ({ appId }) => {
      const app = appById(await store.read((tx) => tx.apps.get(appId)), appId);
      return {
        lifecycle: lifecycleOf(app),
      };
    }),
    appList: user(async ({ environmentName }) => {
      const listed: State[] = ["initializing", "ephemeral", "detached", "disconnected", "deployed", "stopping"];
      const apps = await store.read(async (tx) => {
        const environment = await findEnvironment(tx, environmentName);
        const found = (await tx.apps.inStates(listed)).filter(({ environmentId }) => environmentId === environment.id);
        return Promise.all(
          found.map(async (app) => ({
            appId: app.id,
            description: app.name,
            state: wireStates[app.state],
            createdAt: toSeconds(app.createdAt),
            nRunningTasks: (await tx.containers.ofApp(app.id, ["starting", "ready", "draining"])).length,
          })),
        );
      });
      return { apps };
    }),
  };
}

function publishedState(state: AppState): "ephemeral" | "detached" | "deployed" {
  const asked = askedState(state);
  if (asked === "initializing") throw fail("invalidArgument", "An app is not published to be initializing.");
  return asked;
}

function lifecycleOf(app: App): MessageInitShape<typeof AppLifecycleSchema> {
  const { state, createdAt, stoppedAt } = app;
  return { appState: wireStates[state], createdAt: toSeconds(createdAt), stoppedAt: toSeconds(stoppedAt) };
}

function appById(app: App | undefined, id: string): App {
  if (app === undefined) throw fail("notFound", `App ${id} does not exist.`);
  return app;
}
