/** What must exist before the first call: a workspace, the environment `main` and the owner's token. */
import type { ServerConfig } from "../config.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";

/** The default until another one is made it. */
const firstEnvironment = "main";

/** Run at every start; changes only what is missing or was configured anew. */
export async function ensureIdentity(
  tx: Tx,
  config: Pick<ServerConfig, "workspace" | "ownerToken">,
  context: Context,
): Promise<void> {
  if ((await tx.identity.environments()).length === 0) {
    const main = { id: context.newId("en"), name: firstEnvironment, webSuffix: "", createdAt: context.now };
    await tx.identity.putEnvironment(main);
  }
  const workspace = await tx.identity.workspace();
  const [first] = await tx.identity.environments();
  const id = workspace?.id ?? context.newId("ac");
  const defaultEnvironmentId = workspace?.defaultEnvironmentId || (first?.id ?? "");
  await tx.identity.putWorkspace({ id, name: config.workspace, defaultEnvironmentId });
  const endless = { name: "", expiresAt: undefined, isDisabled: false };
  await tx.identity.putToken({ ...config.ownerToken, ...endless, createdAt: context.now });
}
