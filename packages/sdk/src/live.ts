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
/** Its container imports its code: what calls a function there would do so in each container that this begins. */
let isImporting = false;

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

/** Imports the code of this process's container. */
export async function importing<T>(work: () => Promise<T>): Promise<T> {
  isImporting = true;
  try {
    return await work();
  } finally {
    isImporting = false;
  }
}

/** Throws where code of a container would run or deploy apps. */
export function refuseInContainer(what: string): void {
  if (own === undefined) return;
  throw new InvalidError(`${what} is for programs outside of containers, and this is one`, { hint: guard });
}

const guard =
  "what the module does at its top level is done in each container, too: write if (import.meta.main) { … } around it";

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
  if (isImporting && found === own)
    throw new InvalidError(`${name} is called while a container imports the module that it is in`, { hint: guard });
  const functionId = found.functionIds.get(name);
  if (functionId !== undefined) return { ...found, functionId };
  throw new InvalidError(`the running app has no function ${JSON.stringify(name)}`, {
    hint: `it has: ${[...found.functionIds.keys()].join(", ")}. Call another app's by Func.fromName(app, name)`,
  });
}
