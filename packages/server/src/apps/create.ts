/** Makes apps. */
import type { App, AppState } from "../domain/app.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import { findEnvironment } from "../identity/environments.ts";
import { deployedApp } from "./known.ts";

export interface NewApp {
  name: string;
  environment: string;
  state: Extract<AppState, "initializing" | "ephemeral" | "detached" | "deployed">;
  createdBy: string;
  tags: App["tags"];
}

export async function createApp(tx: Tx, request: NewApp, context: Context): Promise<App> {
  const environment = await findEnvironment(tx, request.environment);
  const app: App = {
    id: context.newId("ap"),
    environmentId: environment.id,
    name: request.name,
    state: request.state,
    createdAt: context.now,
    createdBy: request.createdBy,
    deployedAt: undefined,
    deployedBy: "",
    version: 0,
    stoppedAt: undefined,
    stoppedBy: "",
    tags: request.tags,
    layout: { functionIds: {}, classIds: {} },
  };
  await tx.apps.insert(app);
  return app;
}

/** As `deployedApp`; where there is none, it is made, empty. */
export async function deployedOrNewApp(
  tx: Tx,
  { name, environment, createdBy }: Pick<NewApp, "name" | "environment" | "createdBy">,
  context: Context,
): Promise<App> {
  const { id } = await findEnvironment(tx, environment);
  const isName = !name.startsWith("ap-");
  if (isName && (await tx.apps.deployed(id, name)) === undefined) {
    return await createApp(tx, { name, environment, state: "deployed", createdBy, tags: {} }, context);
  }
  return await deployedApp(tx, environment, name);
}
