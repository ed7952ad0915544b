/** What clients keep of a volume. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { VolumeFsVersion, type VolumeMetadataSchema } from "@lydian/contract";

import type { Volume } from "../domain/volume.ts";

export const wireVersion = { 1: VolumeFsVersion.V1, 2: VolumeFsVersion.V2 } as const;

export function volumeHandle(volume: Volume): MessageInitShape<typeof VolumeMetadataSchema> {
  const { name, version, createdAt, createdBy } = volume;
  return { version: wireVersion[version], name, creationInfo: { createdAt: createdAt / 1000, createdBy } };
}
