/** Removes all that is in an environment which is deleted already: nobody finds any of it by its name, and it goes a portion at a time. */
import { stopApp } from "../apps/stop.ts";
import { exitGraceMs } from "../containers/begin.ts";
import type { AppState } from "../domain/app.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import { deleteObject } from "../objects/manage.ts";
import { deleteSecret } from "../secrets/manage.ts";
import { later, noResult, portion } from "../sweeps/portion.ts";
import { deleteVolume } from "../volumes/manage.ts";

const living: readonly AppState[] = ["initializing", "ephemeral", "detached", "disconnected", "deployed"];

/** To stop an app is as much work as to remove so many names. */
const appWeight = 20;

const newest = Number.MAX_SAFE_INTEGER;

export async function clearEnvironment(tx: Tx, environmentId: string, context: Context): Promise<void> {
  const rows = await clearSome(tx, environmentId, context);
  await later(tx, { what: "clearEnvironment", target: environmentId, ...noResult }, rows);
}

/** Answers how much that was; a portion where there may be more. */
export async function clearSome(tx: Tx, id: string, context: Context): Promise<number> {
  let left = portion;
  const all = async <T>(
    things: readonly T[],
    weight: number,
    remove: (thing: T) => Promise<unknown>,
  ): Promise<void> => {
    for (const thing of things) {
      if (left <= 0) return;
      await remove(thing);
      left -= weight;
    }
  };
  const apps = (await tx.apps.inStates(living)).filter(({ environmentId }) => environmentId === id);
  const options = { reason: "The app's environment was deleted.", graceMs: exitGraceMs };
  await all(apps, appWeight, (app) => stopApp(tx, app, options, context));
  if (left > 0) await all(await tx.secrets.newest(id, newest, left), 1, (secret) => deleteSecret(tx, secret.id));
  if (left > 0) await all(await tx.volumes.newest(id, newest, left), 1, (volume) => deleteVolume(tx, volume.id));
  for (const kind of ["dict", "queue"] as const) {
    if (left <= 0) break;
    await all(await tx.objects.newest(kind, id, newest, left), 1, (object) => deleteObject(tx, kind, object.id));
  }
  if (left > 0) {
    const names = await tx.images.names(id, { prefix: "", after: "", imageId: "" }, left);
    await all(names, 1, ({ name }) => tx.images.unpublish(id, name));
  }
  return portion - Math.max(0, left);
}
