/** Apps as they stand: by name, by id, all of an environment. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type AppLifecycleSchema, AppState, type ModalClient, ObjectCreationType } from "@lydian/contract";

import { deployedOrNewApp } from "../apps/create.ts";
import { deployedApp, knownApp } from "../apps/known.ts";
import type { App, AppState as State } from "../domain/app.ts";
import { appLayout } from "../functions/handle.ts";
import { findEnvironment } from "../identity/environments.ts";
import { type Rpcs, user, userOrContainer } from "./adapter-access.ts";
import { type Platform, actorOf, contextOf, toSeconds } from "./platform.ts";

/** An app that has stopped is listed for so long, in milliseconds. */
const listedAfterStopMs = 3_600_000;
const mostStopped = 100;

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
        if (app !== undefined) return { appId: app.id, environmentName: environment.name, lifecycle: lifecycleOf(app) };
        const before = await tx.apps.lastStopped(environment.id, name);
        if (before === undefined) return { environmentName: environment.name };
        return { previousAppId: before.id, environmentName: environment.name, lifecycle: lifecycleOf(before) };
      }),
    ),
    appGetLayout: userOrContainer(({ appId }) =>
      store.read(async (tx) => ({ appLayout: await appLayout(tx, await knownApp(tx, appId), config) })),
    ),
    appGetOrCreate: userOrContainer(async (request, { caller }) => {
      const { appName: name, environmentName: environment, objectCreationType } = request;
      const orNew = objectCreationType === ObjectCreationType.CREATE_IF_MISSING;
      const app = orNew
        ? await store.write(async (tx) => {
            const createdBy = await actorOf(tx, caller);
            return await deployedOrNewApp(tx, { name, environment, createdBy }, contextOf(platform));
          })
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
        const living = (await tx.apps.inStates(listed)).filter(({ environmentId }) => environmentId === environment.id);
        const after = platform.clock.now() - listedAfterStopMs;
        const stopped = await tx.apps.stoppedAfter(environment.id, after, mostStopped);
        return Promise.all(
          [...living, ...stopped].map(async (app) => ({
            appId: app.id,
            description: app.name,
            state: wireStates[app.state],
            createdAt: toSeconds(app.createdAt),
            stoppedAt: toSeconds(app.stoppedAt),
            name: app.version > 0 ? app.name : "",
            nRunningTasks: (await tx.containers.ofApp(app.id, ["starting", "ready", "draining"])).length,
          })),
        );
      });
      return { apps };
    }),
  };
}

export function lifecycleOf(app: App): MessageInitShape<typeof AppLifecycleSchema> {
  const { state, createdBy, deployedBy, version, stoppedBy } = app;
  return {
    ...{ appState: wireStates[state], createdBy, deployedBy, version, stoppedBy },
    createdAt: toSeconds(app.createdAt),
    deployedAt: toSeconds(app.deployedAt),
    stoppedAt: toSeconds(app.stoppedAt),
  };
}
