/** Hello, workspace, token and environments. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ModalClient } from "@lydian/contract";

import { authToken } from "../identity/auth-token.ts";
import { findEnvironment } from "../identity/environments.ts";
import { defaultEnvironment } from "../identity/first-start.ts";
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
        workspaceId: workspace?.id ?? "",
        workspaceName: config.workspace,
        identity: { case: "userIdentity", value: { userId: caller.tokenId, username: config.workspace } },
        ...(token && { createdAt: timestampFromMs(token.createdAt) }),
      };
    }),
    environmentGetOrCreate: userOrAnyContainer(async (request) => {
      const environment = await store.read((tx) => findEnvironment(tx, request.deploymentName));
      return {
        environmentId: environment.id,
        metadata: { name: environment.name, settings: { imageBuilderVersion: builderVersion } },
      };
    }),
    environmentList: user(async () => {
      const environments = await store.read((tx) => tx.identity.environments());
      const items = environments.map(({ id, name }) => ({
        environmentId: id,
        name,
        default: name === defaultEnvironment,
        imageBuilderVersion: builderVersion,
      }));
      return { items };
    }),
  };
}
