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
  checkPlaces(mounts.map(({ path }) => path));
  return mounts;
}

/** As workers are told them: with the newest commit of each, but not while one is on its way here, of which not all workers know. */
export async function mountsNow(
  tx: Tx,
  mounts: readonly MountedVolume[],
): Promise<(MountedVolume & { head?: bigint })[]> {
  return await Promise.all(
    mounts.map(async (mount) => {
      const { head } = await knownVolume(tx, mount.volumeId);
      const owed = await tx.volumes.owedOf(mount.volumeId);
      return owed === undefined ? { ...mount, head: BigInt(head) } : mount;
    }),
  );
}

/** Throws invalidArgument where one is inside of another. */
export function checkPlaces(paths: readonly string[]): void {
  for (const path of paths) {
    const other = paths.find((each) => each.startsWith(`${path}/`));
    if (other === undefined) continue;
    throw fail("invalidArgument", `A volume cannot be mounted at ${other}, inside of one at ${path}.`, {
      hint: "Mount them beside each other",
    });
  }
}

function mountOf({ volumeId, mountPath, readOnly, subPath = "" }: VolumeMount): MountedVolume {
  return { volumeId, path: pathOf(mountPath), readOnly, subPath: volumePath(subPath) };
}

/** Absolute, without a slash at its end. */
export function pathOf(mountPath: string): string {
  const path = `/${volumePath(mountPath)}`;
  if (path !== "/" && mountPath.startsWith("/")) return path;
  throw fail("invalidArgument", `${JSON.stringify(mountPath)} is no path for a volume: it has to be absolute.`);
}
