/** Makes apps and publishes what they consist of. */
import type { App, AppLayout, AppState } from "../domain/app.ts";
import { isAlive, mayMove } from "../domain/app.ts";
import { demandBell } from "../domain/bells.ts";
import { drain, exitGraceMs } from "../containers/begin.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";
import { arrangeSchedules } from "../schedules/arrange.ts";

export async function createApp(
  tx: Tx,
  request: {
    name: string;
    environment: string;
    state: Extract<AppState, "initializing" | "ephemeral" | "detached" | "deployed">;
  },
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

export interface Publication {
  appId: string;
  state: Extract<AppState, "ephemeral" | "detached" | "deployed">;
  layout: AppLayout;
  /** Under which a deployment is found; empty for a run. */
  name: string;
}

/** From here on the app's functions are known by their tags, and those that keep containers get them. */
export async function publishApp(tx: Tx, publication: Publication, context: Context): Promise<App> {
  const app = await livingApp(tx, publication.appId);
  const name = publication.name === "" ? app.name : publication.name;
  if (publication.state === "deployed") {
    const other = await tx.apps.deployed(app.environmentId, name);
    if (other !== undefined && other.id !== app.id) {
      throw fail("failedPrecondition", `Another deployment of "${name}" was published meanwhile.`, {
        hint: "Deploy again to replace it",
      });
    }
  }
  const state = mayMove(app.state, publication.state) ? publication.state : app.state;
  const published = { ...app, name, state, layout: publication.layout };
  await tx.apps.update(published);
  await replaceContainers(tx, app.id, context);
  if (state === "deployed") await arrangeSchedules(tx, published, context);
  tx.ring(demandBell);
  return published;
}

/** Containers of older definitions take no more inputs, and have the time that those they hold may take. */
async function replaceContainers(tx: Tx, appId: string, { now }: Context): Promise<void> {
  for (const { id, functionId, definitionId } of await tx.containers.ofApp(appId, ["assigned", "starting", "ready"])) {
    const demand = await tx.functions.demand(functionId);
    if (demand === undefined || demand.definitionId === definitionId) continue;
    await drain(tx, id, now + demand.policy.timeoutMs + exitGraceMs);
  }
}

/** The app that is deployed under a name, or is running with this id. */
export async function deployedApp(tx: Tx, environmentName: string, name: string): Promise<App> {
  const environment = await findEnvironment(tx, environmentName);
  const app = name.startsWith("ap-") ? await tx.apps.get(name) : await tx.apps.deployed(environment.id, name);
  if (app !== undefined && isAlive(app.state)) return app;
  throw fail("notFound", `App "${name}" is not deployed in environment "${environment.name}".`, {
    hint: `Deploy it with \`modal deploy\``,
  });
}

/** As `deployedApp`; where there is none, it is made, empty. */
export async function deployedOrNewApp(
  tx: Tx,
  { name, environment }: { name: string; environment: string },
  context: Context,
): Promise<App> {
  const { id } = await findEnvironment(tx, environment);
  const isName = !name.startsWith("ap-");
  if (isName && (await tx.apps.deployed(id, name)) === undefined) {
    return await createApp(tx, { name, environment, state: "deployed" }, context);
  }
  return await deployedApp(tx, environment, name);
}

export async function knownApp(tx: Tx, appId: string): Promise<App> {
  const app = await tx.apps.get(appId);
  if (app === undefined) throw fail("notFound", `App ${appId} does not exist.`);
  return app;
}

export async function livingApp(tx: Tx, appId: string): Promise<App> {
  const app = await knownApp(tx, appId);
  if (!isAlive(app.state)) throw fail("failedPrecondition", `App ${appId} has stopped.`, { hint: "Run it again" });
  return app;
}
