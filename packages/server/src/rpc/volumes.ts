/** Volumes as objects: find or make, list, rename, delete, keep alive. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  type ModalClient,
  ObjectCreationType,
  VolumeFsVersion,
  VolumeGetOrCreateResponseSchema,
} from "@lydian/contract";

import type { Volume } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";
import { Act, actOnVolume } from "../volumes/act.ts";
import { volumeHandle, wireVersion } from "../volumes/handle.ts";
import { knownVolume } from "../volumes/known.ts";
import { type Creation, deleteVolume, getOrCreateVolume, renameVolume } from "../volumes/manage.ts";
import { container, type Rpcs, userOrContainer } from "./adapter-access.ts";
import { contextOf, once, type Platform, toSeconds } from "./platform.ts";

const creations: Partial<Record<ObjectCreationType, Creation>> = {
  [ObjectCreationType.UNSPECIFIED]: "lookUp",
  [ObjectCreationType.CREATE_IF_MISSING]: "ifMissing",
  [ObjectCreationType.CREATE_FAIL_IF_EXISTS]: "failIfExists",
  [ObjectCreationType.EPHEMERAL]: "ephemeral",
};

/** Of a list, when the client does not say how long it is to be. */
const usualPage = 100;

export function volumeRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, config, heartbeats } = platform;
  return {
    volumeGetOrCreate: userOrContainer(async (request, call) => {
      const creation = creations[request.objectCreationType];
      if (creation === undefined)
        throw fail("invalidArgument", "Volumes are not made in the way that the request asks for.");
      const { deploymentName: name, environmentName: environment } = request;
      const wanted = { creation, name, environment, version: versionOf(request.version), createdBy: config.workspace };
      if (creation === "lookUp") {
        return replyOf(await store.read((tx) => getOrCreateVolume(tx, wanted, contextOf(platform))));
      }
      const reply = await once(platform, call, VolumeGetOrCreateResponseSchema, async (tx, context) =>
        replyOf(await getOrCreateVolume(tx, wanted, context)),
      );
      if (creation === "ephemeral") heartbeats.heard(reply.volumeId ?? "");
      return reply;
    }),
    volumeGetById: userOrContainer(async ({ volumeId }) => {
      const volume = await store.read((tx) => knownVolume(tx, volumeId));
      return { volumeId: volume.id, metadata: volumeHandle(volume) };
    }),
    volumeHeartbeat: userOrContainer(async ({ volumeId }) => {
      const { state, id } = await store.read((tx) => knownVolume(tx, volumeId));
      if (state === "ephemeral") heartbeats.heard(id);
      return {};
    }),
    /** What the container has written is published; others' changes are for `reload` to show. */
    volumeCommit: container(async ({ volumeId }, { caller }) => {
      await actOnVolume(platform, caller.id, volumeId, Act.COMMIT);
      return { skipReload: true };
    }),
    volumeReload: container(async ({ volumeId }, { caller }) => {
      await actOnVolume(platform, caller.id, volumeId, Act.RELOAD);
      return {};
    }),
    volumeList: userOrContainer(({ environmentName, pagination }) =>
      store.read(async (tx) => {
        const environment = await findEnvironment(tx, environmentName);
        const { maxObjects, createdBefore } = pagination ?? { maxObjects: 0, createdBefore: 0 };
        const before = createdBefore > 0 ? Math.round(createdBefore * 1000) : Number.MAX_SAFE_INTEGER;
        const volumes = await tx.volumes.newest(environment.id, before, maxObjects > 0 ? maxObjects : usualPage);
        const items = volumes.map((volume) => ({
          label: volume.name,
          volumeId: volume.id,
          createdAt: toSeconds(volume.createdAt),
          metadata: volumeHandle(volume),
        }));
        return { items, environmentName: environment.name };
      }),
    ),
    volumeRename: userOrContainer(({ volumeId, name }, call) =>
      once(platform, call, EmptySchema, async (tx) => {
        await renameVolume(tx, volumeId, name);
        return {};
      }),
    ),
    volumeDelete: userOrContainer(({ volumeId }, call) =>
      once(platform, call, EmptySchema, async (tx) => {
        await deleteVolume(tx, volumeId);
        return {};
      }),
    ),
  };
}

function versionOf(version: VolumeFsVersion): 1 | 2 | undefined {
  switch (version) {
    case VolumeFsVersion.UNSPECIFIED:
      return undefined;
    case VolumeFsVersion.V1:
      return 1;
    case VolumeFsVersion.V2:
      return 2;
  }
  throw fail("invalidArgument", `Volumes have the versions 1 and 2, and not ${String(version)}.`);
}

function replyOf(volume: Volume): MessageInitShape<typeof VolumeGetOrCreateResponseSchema> {
  return { volumeId: volume.id, version: wireVersion[volume.version], metadata: volumeHandle(volume) };
}
