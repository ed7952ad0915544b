/** Which apps are on a platform now: those that this process runs, and in a container the one that it belongs to. */
import type { AppLayout } from "@lydian/contract";

import type { Client } from "./client/client.ts";
import { InvalidError } from "./errors.ts";

/** An app that is run from here. */
export interface LiveApp {
  readonly client: Client;
  readonly appId: string;
  /** By name. */
  readonly functionIds: ReadonlyMap<string, string>;
}

const live = new WeakMap<object, LiveApp>();
let own: LiveApp | undefined;

export function begin(app: object, state: LiveApp): void {
  live.set(app, state);
}

export function end(app: object): void {
  live.delete(app);
}

/** This process is a container of the app of this layout. */
export function beginContainer(client: Client, appId: string, layout: AppLayout | undefined): void {
  own = { client, appId, functionIds: new Map(Object.entries(layout?.functionIds ?? {})) };
}

/** Where a function of the app is; throws when the app is not on a platform. */
export function liveFunction(app: object, appName: string, name: string): LiveApp & { readonly functionId: string } {
  const found = live.get(app) ?? own;
  if (found === undefined) {
    throw new InvalidError(
      `app ${JSON.stringify(appName)} is not running, so ${name} cannot be called on the platform`,
      {
        hint: `start it with \`lydian run\` or \`await using _ = await app.run()\`, call a deployed one by Func.fromName(${JSON.stringify(appName)}, ${JSON.stringify(name)}), or run the code here: ${name}.local(…)`,
      },
    );
  }
  const functionId = found.functionIds.get(name);
  if (functionId !== undefined) return { ...found, functionId };
  throw new InvalidError(`the running app has no function ${JSON.stringify(name)}`, {
    hint: `it has: ${[...found.functionIds.keys()].join(", ")}. Call another app's by Func.fromName(app, name)`,
  });
}
