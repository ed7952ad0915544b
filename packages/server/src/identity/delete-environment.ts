/** Deletes an environment with all that is in it. */
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { clearEnvironment } from "./clear-environment.ts";
import { findEnvironment } from "./environments.ts";

/** Nobody finds it, or anything in it, from here on; its apps stop, and what is in it goes, by and by where it is much. */
export async function deleteEnvironment(tx: Tx, name: string, context: Context): Promise<void> {
  const { id } = await findEnvironment(tx, name);
  if (id === (await tx.identity.workspace())?.defaultEnvironmentId) {
    throw fail("failedPrecondition", `Environment "${name}" is the workspace's default, and cannot be deleted.`, {
      hint: "Make another one the default first: `modal workspace settings set default-environment …`",
    });
  }
  await tx.identity.deleteEnvironment(id, context.now);
  await clearEnvironment(tx, id, context);
}
