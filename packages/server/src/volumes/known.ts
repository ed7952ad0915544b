/** Finds volumes by the ids that clients, functions and containers have of them. */
import type { Tx } from "../domain/store.ts";
import type { Volume } from "../domain/volume.ts";
import { fail } from "../errors.ts";

/** Throws notFound for one that is not there, by its name where it had one. */
export async function knownVolume(tx: Tx, id: string): Promise<Volume> {
  const volume = await tx.volumes.get(id);
  if (volume === undefined) throw fail("notFound", `Volume ${id} does not exist.`);
  if (volume.state !== "deleted") return volume;
  throw fail("notFound", `Volume ${nameOf(volume)} was deleted.`, {
    hint: "Create it again, and run or deploy what uses it again",
  });
}

export function nameOf({ id, name }: Pick<Volume, "id" | "name">): string {
  return name === "" ? id : `"${name}"`;
}
