/** Secrets: find or make, change, delete, list. No answer has a value in it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  type ModalClient,
  ObjectCreationType,
  SecretGetOrCreateResponseSchema,
  type SecretMetadataSchema,
} from "@lydian/contract";

import type { Secret } from "../domain/secret.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";
import {
  type Creation,
  deleteSecret,
  getOrCreateSecret,
  getSecret,
  knownSecret,
  updateSecret,
} from "../secrets/manage.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import { type Platform, once, toSeconds } from "./platform.ts";

const creations: Record<ObjectCreationType, Creation> = {
  [ObjectCreationType.UNSPECIFIED]: "lookUp",
  [ObjectCreationType.CREATE_IF_MISSING]: "ifMissing",
  [ObjectCreationType.CREATE_FAIL_IF_EXISTS]: "failIfExists",
  [ObjectCreationType.CREATE_OVERWRITE_IF_EXISTS]: "overwrite",
  [ObjectCreationType.ANONYMOUS_OWNED_BY_APP]: "ofApp",
  [ObjectCreationType.EPHEMERAL]: "ephemeral",
};

/** Of a list, when the client does not say how long it is to be. */
const usualPage = 100;

export function secretRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, vault, config } = platform;
  return {
    secretGetOrCreate: userOrContainer(async (request, call) => {
      const { deploymentName: name, environmentName: environment, requiredKeys, appId, envDict: values } = request;
      const creation = creations[request.objectCreationType];
      if (creation === undefined) throw fail("invalidArgument", "The request says no known way to make a secret.");
      const answer = async (
        tx: Tx,
        secret: Secret,
      ): Promise<MessageInitShape<typeof SecretGetOrCreateResponseSchema>> => ({
        secretId: secret.id,
        metadata: await metadataOf(tx, secret),
      });
      if (creation === "lookUp") {
        return await store.read(async (tx) => answer(tx, await getSecret(tx, { name, environment, requiredKeys })));
      }
      await vault.prepare();
      const wanted = { creation, name, environment, values, appId, requiredKeys, createdBy: config.workspace };
      return await once(platform, call, SecretGetOrCreateResponseSchema, async (tx, context) =>
        answer(tx, await getOrCreateSecret(tx, vault, wanted, context)),
      );
    }),
    secretGetInfo: userOrContainer(({ secretId }) =>
      store.read(async (tx) => ({ metadata: await metadataOf(tx, await knownSecret(tx, secretId)) })),
    ),
    secretUpdate: userOrContainer(({ secretId, updates }, call) =>
      once(platform, call, EmptySchema, async (tx) => {
        await updateSecret(tx, vault, secretId, new Map(updates.map(({ key, value }) => [key, value])));
        return {};
      }),
    ),
    secretDelete: userOrContainer(({ secretId }, call) =>
      once(platform, call, EmptySchema, async (tx) => {
        await deleteSecret(tx, secretId);
        return {};
      }),
    ),
    secretList: userOrContainer(({ environmentName, pagination }) =>
      store.read(async (tx) => {
        const environment = await findEnvironment(tx, environmentName);
        const { maxObjects, createdBefore } = pagination ?? { maxObjects: 0, createdBefore: 0 };
        const before = createdBefore > 0 ? Math.round(createdBefore * 1000) : Number.MAX_SAFE_INTEGER;
        const secrets = await tx.secrets.newest(environment.id, before, maxObjects > 0 ? maxObjects : usualPage);
        const items = await Promise.all(
          secrets.map(async (secret) => ({
            label: secret.name,
            createdAt: toSeconds(secret.createdAt),
            lastUsedAt: toSeconds(secret.lastUsedAt),
            environmentName: environment.name,
            secretId: secret.id,
            metadata: await metadataOf(tx, secret),
          })),
        );
        return { items, environmentName: environment.name };
      }),
    ),
  };
}

async function metadataOf(tx: Tx, secret: Secret): Promise<MessageInitShape<typeof SecretMetadataSchema>> {
  const environments = await tx.identity.environments();
  return {
    name: secret.name,
    creationInfo: { createdAt: toSeconds(secret.createdAt), createdBy: secret.createdBy },
    keys: [...secret.keys],
    environmentName: environments.find(({ id }) => id === secret.environmentId)?.name ?? "",
    lastUsedAt: toSeconds(secret.lastUsedAt),
  };
}
