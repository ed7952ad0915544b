/** Deletes an environment with all that is in it. */
import { stopApp } from "../apps/stop.ts";
import type { AppState } from "../domain/app.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { deleteObject } from "../objects/manage.ts";
import { deleteSecret } from "../secrets/manage.ts";
import { deleteVolume } from "../volumes/manage.ts";
import { findEnvironment } from "./environments.ts";

const living: readonly AppState[] = ["initializing", "ephemeral", "detached", "disconnected", "deployed"];

const all = Number.MAX_SAFE_INTEGER;

/** Its apps stop, and what has a name in it is gone at once; what that takes of the disk goes by and by. */
export async function deleteEnvironment(
  tx: Tx,
  name: string,
  options: { stoppedBy: string; graceMs: number },
  context: Context,
): Promise<void> {
  const { id } = await findEnvironment(tx, name);
  if (id === (await tx.identity.workspace())?.defaultEnvironmentId) {
    throw fail("failedPrecondition", `Environment "${name}" is the workspace's default, and cannot be deleted.`, {
      hint: "Make another one the default first: `modal workspace settings set default-environment …`",
    });
  }
  for (const app of await tx.apps.inStates(living)) {
    if (app.environmentId !== id) continue;
    await stopApp(tx, app, { ...options, reason: "The app's environment was deleted." }, context);
  }
  for (const secret of await tx.secrets.newest(id, all, all)) await deleteSecret(tx, secret.id);
  for (const volume of await tx.volumes.newest(id, all, all)) await deleteVolume(tx, volume.id);
  for (const kind of ["dict", "queue"] as const) {
    for (const object of await tx.objects.newest(kind, id, all, all)) await deleteObject(tx, kind, object.id);
  }
  for (const image of await tx.images.names(id, { prefix: "", after: "", imageId: "" }, all)) {
    await tx.images.unpublish(id, image.name);
  }
  await tx.identity.deleteEnvironment(id, context.now);
}
