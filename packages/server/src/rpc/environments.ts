/** Environments: find, list, make, change, delete. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type EnvironmentListItemSchema,
  EnvironmentType,
  type EnvironmentUpdateRequest,
  type ModalClient,
  ObjectCreationType,
} from "@lydian/contract";

import { replaceContainersIn } from "../apps/deploy.ts";
import type { Environment } from "../domain/stored.ts";
import { fail } from "../errors.ts";
import { deleteEnvironment } from "../identity/delete-environment.ts";
import { createEnvironment, findEnvironment, updateEnvironment } from "../identity/environments.ts";
import { builderVersion } from "../images/recipe.ts";
import { type Rpcs, user, userOrAnyContainer } from "./adapter-access.ts";
import { type Platform, contextOf, toSeconds } from "./platform.ts";

export function environmentRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store } = platform;
  return {
    environmentGetOrCreate: userOrAnyContainer(async ({ deploymentName: name, objectCreationType }, { caller }) => {
      const isWanted = objectCreationType === ObjectCreationType.CREATE_IF_MISSING && caller.kind === "user";
      const environment = isWanted
        ? await store.write(async (tx) => {
            const known = (await tx.identity.environments()).find((each) => each.name === name);
            return known ?? (await createEnvironment(tx, name, contextOf(platform)));
          })
        : await store.read((tx) => findEnvironment(tx, name));
      const settings = { imageBuilderVersion: builderVersion, webhookSuffix: environment.webSuffix };
      return { environmentId: environment.id, metadata: { name: environment.name, settings } };
    }),
    environmentList: user(() =>
      store.read(async (tx) => {
        const workspace = await tx.identity.workspace();
        const all = await tx.identity.environments();
        return { items: all.map((each) => itemOf(each, workspace?.defaultEnvironmentId)) };
      }),
    ),
    environmentCreate: user(async ({ name, isManaged, environmentType }) => {
      if (isManaged || environmentType === EnvironmentType.PUBLIC) {
        throw fail(
          "unimplemented",
          "Environments that only some members may use are not there: a platform has one user.",
          {
            hint: "Create it without --restricted",
          },
        );
      }
      await store.write((tx) => createEnvironment(tx, name, contextOf(platform)));
      return {};
    }),
    environmentUpdate: user(async (request) => {
      refuseSettings(request);
      const changes = { name: request.name, webSuffix: request.webSuffix };
      return await store.write(async (tx) => {
        const environment = await updateEnvironment(tx, request.currentName, changes);
        // They look names up in the environment whose name they were started with.
        const isRenamed = environment.name !== request.currentName;
        if (isRenamed) await replaceContainersIn(tx, environment.id, contextOf(platform));
        return itemOf(environment, (await tx.identity.workspace())?.defaultEnvironmentId);
      });
    }),
    environmentDelete: user(async ({ name }) => {
      await store.write((tx) => deleteEnvironment(tx, name, contextOf(platform)));
      return {};
    }),
  };
}

function itemOf(
  { id, name, webSuffix, createdAt }: Environment,
  defaultId: string | undefined,
): MessageInitShape<typeof EnvironmentListItemSchema> {
  return {
    environmentId: id,
    name,
    webhookSuffix: webSuffix,
    createdAt: toSeconds(createdAt),
    default: id === defaultId,
    imageBuilderVersion: builderVersion,
  };
}

function refuseSettings({
  maxConcurrentTasks,
  maxConcurrentGpus,
  imageBuilderVersion: version = "",
}: EnvironmentUpdateRequest): void {
  if (version !== "" && version !== builderVersion) {
    throw fail("invalidArgument", `Images are built by version ${builderVersion} here, not by ${version}.`);
  }
  if (maxConcurrentTasks === undefined && maxConcurrentGpus === undefined) return;
  throw fail("unimplemented", "An environment's ceiling is set where the platform is started.", {
    hint: 'Give it there: `lydian up --limits \'{"environments":{"NAME":{"containers":8}}}\'`',
  });
}
