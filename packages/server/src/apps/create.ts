/** Makes apps and publishes what they consist of. */
import type { App, AppLayout, AppState } from "../domain/app.ts";
import { isAlive, mayMove } from "../domain/app.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";

export async function createApp(
  tx: Tx,
  request: { name: string; environment: string; state: Extract<AppState, "initializing" | "ephemeral" | "detached"> },
  context: Context,
): Promise<App> {
  const environment = await findEnvironment(tx, request.environment);
  const app: App = {
    id: context.newId("ap"),
    environmentId: environment.id,
    name: request.name,
    state: request.state,
    createdAt: context.now,
    stoppedAt: undefined,
    layout: { functionIds: {}, classIds: {} },
  };
  await tx.apps.insert(app);
  return app;
}

/** From here on the app's functions are known by their tags. */
export async function publishApp(
  tx: Tx,
  request: { appId: string; state: Extract<AppState, "ephemeral" | "detached">; layout: AppLayout },
): Promise<App> {
  const app = await livingApp(tx, request.appId);
  const state = mayMove(app.state, request.state) ? request.state : app.state;
  const published = { ...app, state, layout: request.layout };
  await tx.apps.update(published);
  return published;
}

export async function livingApp(tx: Tx, appId: string): Promise<App> {
  const app = await tx.apps.get(appId);
  if (app === undefined) throw fail("notFound", `App ${appId} does not exist.`);
  if (!isAlive(app.state)) throw fail("failedPrecondition", `App ${appId} has stopped.`, { hint: "Run it again" });
  return app;
}
