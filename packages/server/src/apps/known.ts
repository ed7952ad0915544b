/** Finds apps by their ids and names, and their versions. */
import { type App, isAlive } from "../domain/app.ts";
import type { Deployment } from "../domain/deployment.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";

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

/** The app that is deployed under a name, or is running with this id. */
export async function deployedApp(tx: Tx, environmentName: string, name: string): Promise<App> {
  const environment = await findEnvironment(tx, environmentName);
  const app = name.startsWith("ap-") ? await tx.apps.get(name) : await tx.apps.deployed(environment.id, name);
  if (app !== undefined && isAlive(app.state)) return app;
  throw fail("notFound", `App "${name}" is not deployed in environment "${environment.name}".`, {
    hint: `Deploy it with \`modal deploy\``,
  });
}

export async function knownVersion(tx: Tx, app: App, version: number): Promise<Deployment> {
  const found = await tx.deployments.get(app.id, version);
  if (found !== undefined) return found;
  throw fail("notFound", `App "${app.name}" has no version v${version}.`, {
    hint: `List them with \`modal app history ${app.name}\``,
  });
}
