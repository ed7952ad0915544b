/** Puts an app under its name, in the place of an earlier one. */
import { AppState, DeploymentType, ModalClient } from "@lydian/contract";

import type { App } from "../app.ts";
import { Client } from "../client/client.ts";
import { InvalidError } from "../errors.ts";
import { type Observer, plainObserver } from "./observer.ts";
import { type Plan, planOf, publish } from "./publish.ts";

export interface DeployOptions {
  /** Another name than the app's own. */
  name?: string;
  /** Where it goes; without it the client's own. */
  environment?: string;
  client?: Client;
  observer?: Observer;
}

export interface Deployment {
  readonly appId: string;
  readonly name: string;
  /** Where the platform shows it. */
  readonly url: string;
  /** Addresses of web functions, by name. */
  readonly webUrls: ReadonlyMap<string, string>;
  /** Names of functions, against what was deployed before. */
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

export async function deployApp(app: App, options: DeployOptions = {}, plan?: Plan): Promise<Deployment> {
  const { name = app.name, client = Client.usual(), observer = plainObserver } = options;
  const environmentName = options.environment ?? client.environment;
  client.onWarning = (text) => observer.warn(text);
  const ready = plan ?? (await planOf(app));
  if (ready.definitions.length === 0) {
    throw new InvalidError(`app ${JSON.stringify(app.name)} has no functions, so there is nothing to deploy`, {
      hint: "`lydian run` runs its entrypoint",
    });
  }
  const before = await client.ask(ModalClient.method.appGetByDeploymentName, { name, environmentName });
  const existing = before.appId === "" ? { functions: {}, classes: {} } : await idsOf(client, before.appId);
  const appId = before.appId || (await create(client, name, environmentName));
  const place = { client, environment: environmentName, appId };
  const { functionIds, url, webUrls } = await publish(ready, place, {
    state: AppState.DEPLOYED,
    type: DeploymentType.STANDARD,
    name,
    existing,
    observer,
  });
  const names = [...functionIds.keys()];
  const known = existing.functions;
  return {
    ...{ appId, name, url, webUrls },
    added: names.filter((each) => known[each] === undefined).map(shown),
    changed: names.filter((each) => known[each] !== undefined).map(shown),
    removed: Object.keys(known)
      .filter((each) => !functionIds.has(each))
      .map(shown),
  };
}

/** A class is called by its own name. */
const shown = (tag: string): string => tag.replace(/\.\*$/, "");

async function idsOf(
  client: Client,
  appId: string,
): Promise<{ functions: Record<string, string>; classes: Record<string, string> }> {
  const { appLayout } = await client.ask(ModalClient.method.appGetLayout, { appId });
  return { functions: appLayout?.functionIds ?? {}, classes: appLayout?.classIds ?? {} };
}

async function create(client: Client, name: string, environmentName: string): Promise<string> {
  const request = { description: name, environmentName, appState: AppState.INITIALIZING };
  return (await client.ask(ModalClient.method.appCreate, request)).appId;
}
