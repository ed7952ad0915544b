/** Hello, the workspace, and who is asking. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { MemberRole, type ModalClient } from "@lydian/contract";

import { authToken } from "../identity/auth-token.ts";
import { findEnvironment } from "../identity/environments.ts";
import { builderVersion } from "../images/recipe.ts";
import { type Rpcs, user, userOrAnyContainer, userOrContainer } from "./adapter-access.ts";
import type { Platform } from "./platform.ts";

export function identityRpcs({ store, config, clock, serverKey }: Platform): Rpcs<typeof ModalClient> {
  return {
    clientHello: userOrAnyContainer(async () => ({ imageBuilderVersion: builderVersion })),
    authTokenGet: userOrContainer(async (_request, { caller }) => ({
      token: authToken(serverKey, caller.kind === "user" ? caller.tokenId : caller.id, clock.now()),
    })),
    workspaceNameLookup: user(async () => ({ workspaceName: config.workspace, username: config.workspace })),
    tokenInfoGet: user(async (_request, { caller }) => {
      const [token, workspace] = await store.read(async (tx) => [
        await tx.identity.token(caller.tokenId),
        await tx.identity.workspace(),
      ]);
      return {
        tokenId: caller.tokenId,
        tokenName: token?.name ?? "",
        workspaceId: workspace?.id ?? "",
        workspaceName: config.workspace,
        identity: { case: "userIdentity", value: { userId: caller.tokenId, username: config.workspace } },
        ...(token && { createdAt: timestampFromMs(token.createdAt) }),
        ...(token?.expiresAt !== undefined && { expiresAt: timestampFromMs(token.expiresAt) }),
      };
    }),
    /** The one user that there is. */
    workspaceMembersList: user(async () => {
      const id = (await store.read((tx) => tx.identity.workspace()))?.id ?? "";
      const name = config.workspace;
      return { members: [{ memberId: id, userId: id, memberDisplayname: name, memberRole: MemberRole.OWNER }] };
    }),
    workspaceSettings: user(() =>
      store.read(async (tx) => ({
        defaultEnvironmentName: (await findEnvironment(tx, "")).name,
        imageBuilderVersion: builderVersion,
      })),
    ),
    workspaceSetDefaultEnvironment: user(async ({ environmentName }) => {
      await store.write(async (tx) => {
        const { id: defaultEnvironmentId } = await findEnvironment(tx, environmentName);
        const workspace = await tx.identity.workspace();
        if (workspace !== undefined) await tx.identity.putWorkspace({ ...workspace, defaultEnvironmentId });
      });
      return {};
    }),
    workspaceDashboardUrlGet: userOrContainer(async () => ({ url: config.publicUrl })),
  };
}
