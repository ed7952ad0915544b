/** Apps as they stand: by name, by id, all of an environment. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type AppLifecycleSchema, AppState, type ModalClient, ObjectCreationType } from "@lydian/contract";

import { deployedApp, deployedOrNewApp, knownApp } from "../apps/create.ts";
import type { App, AppState as State } from "../domain/app.ts";
import { appLayout } from "../functions/handle.ts";
import { findEnvironment } from "../identity/environments.ts";
import { type Rpcs, user, userOrContainer } from "./adapter-access.ts";
import { type Platform, contextOf, toSeconds } from "./platform.ts";

const wireStates: Record<State, AppState> = {
  initializing: AppState.INITIALIZING,
  ephemeral: AppState.EPHEMERAL,
  detached: AppState.DETACHED,
  disconnected: AppState.DETACHED_DISCONNECTED,
  deployed: AppState.DEPLOYED,
  stopping: AppState.STOPPING,
  stopped: AppState.STOPPED,
};

export function appLookupRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, config } = platform;
  return {
    appGetByDeploymentName: userOrContainer(({ name, environmentName }) =>
      store.read(async (tx) => {
        const environment = await findEnvironment(tx, environmentName);
        const app = await tx.apps.deployed(environment.id, name);
        if (app === undefined) return { environmentName: environment.name };
        return { appId: app.id, environmentName: environment.name, lifecycle: lifecycleOf(app) };
      }),
    ),
    appGetLayout: userOrContainer(({ appId }) =>
      store.read(async (tx) => ({ appLayout: await appLayout(tx, await knownApp(tx, appId), config) })),
    ),
    appGetOrCreate: userOrContainer(async ({ appName: name, environmentName: environment, objectCreationType }) => {
      const orNew = objectCreationType === ObjectCreationType.CREATE_IF_MISSING;
      const app = orNew
        ? await store.write((tx) => deployedOrNewApp(tx, { name, environment }, contextOf(platform)))
        : await store.read((tx) => deployedApp(tx, environment, name));
      return { appId: app.id, handleMetadata: {} };
    }),
    appGetLifecycle: user(async ({ appId }) => {
      return { lifecycle: lifecycleOf(await store.read((tx) => knownApp(tx, appId))) };
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

function lifecycleOf(app: App): MessageInitShape<typeof AppLifecycleSchema> {
  const { state, createdAt, stoppedAt } = app;
  return { appState: wireStates[state], createdAt: toSeconds(createdAt), stoppedAt: toSeconds(stoppedAt) };
}
