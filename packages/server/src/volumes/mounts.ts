/** The volumes that a function or the steps of an image mount, as they are asked for. */
import type { Function, VolumeMount } from "@lydian/contract";

import type { Tx } from "../domain/store.ts";
import type { MountedVolume } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { knownVolume } from "./known.ts";
import { volumePath } from "./paths.ts";

/** Throws notFound for a volume that is not there, invalidArgument for paths where nothing can be mounted. */
export async function volumesOf(tx: Tx, { volumeMounts }: Pick<Function, "volumeMounts">): Promise<MountedVolume[]> {
  for (const { volumeId } of volumeMounts) await knownVolume(tx, volumeId);
  const mounts = volumeMounts.map(mountOf);
  for (const { path } of mounts) {
    const other = mounts.find((each) => each.path.startsWith(`${path}/`));
    if (other === undefined) continue;
    throw fail("invalidArgument", `A volume cannot be mounted at ${other.path}, inside of one at ${path}.`, {
      hint: "Mount them beside each other",
    });
  }
  return mounts;
}

function mountOf({ volumeId, mountPath, readOnly, subPath = "" }: VolumeMount): MountedVolume {
  const path = `/${volumePath(mountPath)}`;
  if (path === "/" || !mountPath.startsWith("/")) {
    throw fail("invalidArgument", `${JSON.stringify(mountPath)} is no path for a volume: it has to be absolute.`);
  }
  return { volumeId, path, readOnly, subPath: volumePath(subPath) };
}
