/** Makes, finds, renames and deletes volumes. */
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import type { Volume } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";
import { knownVolume } from "./known.ts";
import { forgive } from "./owed.ts";

/** What to do about one that is there or is not. */
export type Creation = "lookUp" | "ifMissing" | "failIfExists" | "ephemeral";

export interface VolumeRequest {
  creation: Creation;
  name: string;
  environment: string;
  /** Undefined: 1 for a new one, whatever it is for one that is there. */
  version: 1 | 2 | undefined;
  createdBy: string;
}

/** One that is there may have another version than was asked for; the client says so then. */
export async function getOrCreateVolume(tx: Tx, request: VolumeRequest, context: Context): Promise<Volume> {
  const { creation, name } = request;
  const environment = await findEnvironment(tx, request.environment);
  if (creation === "ephemeral") return await create(tx, request, environment.id, context);
  const existing = await tx.volumes.named(environment.id, name);
  switch (creation) {
    case "lookUp":
      if (existing !== undefined) return existing;
      throw fail("notFound", `Volume "${name}" does not exist in environment "${environment.name}".`, {
        hint: {
          python: `Create it: \`modal volume create ${name}\`, or \`modal.Volume.from_name(…, create_if_missing=True)\``,
          typescript: `Create it: \`lydian volume create ${name}\`, or \`Volume.fromName(…, { createIfMissing: true })\``,
        },
      });
    case "failIfExists":
      if (existing === undefined) break;
      throw fail("alreadyExists", `Volume "${name}" exists already in environment "${environment.name}".`);
    case "ifMissing":
      if (existing !== undefined) return existing;
  }
  checkName(name);
  return await create(tx, request, environment.id, context);
}

export async function renameVolume(tx: Tx, id: string, name: string): Promise<void> {
  const volume = await knownVolume(tx, id);
  if (volume.name === name) return;
  if (volume.state !== "named") throw fail("invalidArgument", `Volume ${id} has no name that could be changed.`);
  checkName(name);
  if ((await tx.volumes.named(volume.environmentId, name)) !== undefined) {
    throw fail("alreadyExists", `Volume "${name}" exists already.`, { hint: "Delete it first, or take another name" });
  }
  await tx.volumes.put({ ...volume, name });
}

/** Its name is free at once; its files go in portions. Containers that use it keep what they see until they end. */
export async function deleteVolume(tx: Tx, id: string): Promise<void> {
  const volume = await knownVolume(tx, id);
  // With what the next commit may have left that was not made.
  await tx.volumes.put({ ...volume, state: "deleted", head: volume.head + 1 });
  await forgive(tx, id);
}

function checkName(name: string): void {
  if (/^[\w.-]{1,63}$/.test(name)) return;
  throw fail("invalidArgument", `${JSON.stringify(name)} cannot be a volume's name.`, {
    hint: "A name has letters, digits, dashes, dots and underscores, and fewer than 64 of them",
  });
}

async function create(
  tx: Tx,
  { creation, name, version = 1, createdBy }: VolumeRequest,
  environmentId: Volume["environmentId"],
  { now, newId }: Context,
): Promise<Volume> {
  // Lists go on from the time of the last one that was seen, so no two have the same.
  const [newest] = await tx.volumes.newest(environmentId, Number.MAX_SAFE_INTEGER, 1);
  const volume: Volume = {
    id: newId("vo"),
    environmentId,
    state: creation === "ephemeral" ? "ephemeral" : "named",
    name: creation === "ephemeral" ? "" : name,
    version,
    head: 0,
    oldest: 0,
    entries: 0,
    bytes: 0,
    createdAt: Math.max(now, (newest?.createdAt ?? 0) + 1),
    createdBy,
  };
  await tx.volumes.put(volume);
  return volume;
}
