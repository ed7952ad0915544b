/** An app by what people call it: an id, the name of one that has not stopped, or of one that has. */
import { operator } from "@lydian/contract";
import { isId, PlatformError } from "@lydian/kit";

import type { PlatformClient } from "./platform-client.ts";

export interface FoundApp {
  appId: string;
  name: string;
  /** It stopped, and is known by its log alone. */
  isOver: boolean;
}

/** `environment`: only there; empty for all, and the default one for what has stopped. */
export async function findApp(client: PlatformClient, idOrName: string, environment: string): Promise<FoundApp> {
  for await (const { apps } of client.follow(operator.Operators.method.getStatus, {})) {
    const found = apps.filter(
      (app) =>
        app.appId === idOrName || (app.name === idOrName && (environment === "" || app.environment === environment)),
    );
    const [app, ...others] = found;
    if (others.length > 0) {
      throw new PlatformError(`${found.length} apps that have not stopped are called "${idOrName}"`, {
        hint: `name its id, or the environment with --env: ${found.map((each) => `${each.appId} (${each.environment}, ${each.state})`).join(", ")}`,
      });
    }
    if (app !== undefined) return { appId: app.appId, name: app.name, isOver: false };
    break;
  }
  if (isId("ap", idOrName)) return { appId: idOrName, name: idOrName, isOver: true };
  const { appId } = await client.ask(operator.Operators.method.findStoppedApp, { name: idOrName, environment });
  if (appId !== "") return { appId, name: idOrName, isOver: true };
  throw new PlatformError(`there is no app "${idOrName}"`, { hint: "`lydian app list --all` shows them" });
}
