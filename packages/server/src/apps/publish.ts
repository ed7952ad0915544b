/** Puts into effect what a client has defined: for a run at once, for a deployment as a version under a name. */
import { type App, type AppLayout, type AppState, mayMove } from "../domain/app.ts";
import { demandBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { claimAddresses } from "../web/endpoints.ts";
import { deploy, type NewDeployment, replaceContainers } from "./deploy.ts";
import { livingApp } from "./known.ts";

export interface Publication {
  appId: string;
  state: Extract<AppState, "ephemeral" | "detached">;
  layout: AppLayout;
}

/** Of a run: from here on the app's functions are known by their tags, and those that keep containers get them. */
export async function publishApp(tx: Tx, { appId, state, layout }: Publication, context: Context): Promise<App> {
  const app = await livingApp(tx, appId);
  const published = { ...app, state: mayMove(app.state, state) ? state : app.state, layout };
  await tx.apps.update(published);
  await claimAddresses(tx, layout);
  await replaceContainers(tx, app.id, context);
  tx.ring(demandBell);
  return published;
}

export interface DeployRequest extends Omit<NewDeployment, "kind" | "madeFrom"> {
  appId: string;
  /** Under which it is found; empty: the app's own name. */
  name: string;
  /** It is made as a version, and not put into effect. */
  isStaged: boolean;
  /** Instead of those that the app has, unless there are none. */
  tags: App["tags"];
}

/** From here on the app is found by its name, with these functions. Answers undefined when nothing has changed. */
export async function deployApp(tx: Tx, request: DeployRequest, context: Context): Promise<App | undefined> {
  const app = await livingApp(tx, request.appId);
  const name = request.name === "" ? app.name : request.name;
  if (!mayMove(app.state, "deployed") && app.state !== "deployed") {
    throw fail("failedPrecondition", `App ${app.id} is ${app.state}, and cannot be deployed.`, {
      hint: "Deploy it anew",
    });
  }
  if (request.isStaged && app.state !== "deployed") {
    throw fail("failedPrecondition", `App "${name}" is not deployed yet, so that there is nothing to stage beside.`);
  }
  const other = await tx.apps.deployed(app.environmentId, name);
  if (other !== undefined && other.id !== app.id) {
    throw fail("failedPrecondition", `Another deployment of "${name}" was published meanwhile.`, {
      hint: "Deploy again to replace it",
    });
  }
  const tags = Object.keys(request.tags).length === 0 ? app.tags : request.tags;
  const retagged = { ...app, name, tags };
  const { layout, definitions, deployedBy, clientVersion, tag, revision } = request;
  const kind = request.isStaged ? "staged" : "standard";
  const wanted = { kind, madeFrom: 0, layout, definitions, deployedBy, clientVersion, tag, revision } as const;
  const deployed = await deploy(tx, retagged, wanted, context);
  if (deployed === undefined) await tx.apps.update(retagged);
  return deployed;
}
