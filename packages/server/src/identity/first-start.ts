/** What must exist before the first call: a workspace, the environment `main` and the owner's token. */
import type { ServerConfig } from "../config.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";

export const defaultEnvironment = "main";

/** Run at every start; changes only what is missing or was configured anew. */
export async function ensureIdentity(
  tx: Tx,
  config: Pick<ServerConfig, "workspace" | "ownerToken">,
  context: Context,
): Promise<void> {
  const workspace = await tx.identity.workspace();
  if (workspace?.name !== config.workspace) {
    await tx.identity.putWorkspace({ id: workspace?.id ?? context.newId("ac"), name: config.workspace });
  }
  if ((await tx.identity.environments()).length === 0) {
    await tx.identity.putEnvironment({ id: context.newId("en"), name: defaultEnvironment });
  }
  await tx.identity.putToken({ ...config.ownerToken, createdAt: context.now });
}
