/** What the RPCs of dicts and queues have in common: how they are made, listed and described. */
import { type ListPagination, ObjectCreationType } from "@lydian/contract";

import type { NamedObject, ObjectKind } from "../domain/named-object.ts";
import type { Tx } from "../domain/store.ts";
import type { Environment } from "../domain/stored.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";
import type { Creation, ObjectRequest } from "../objects/manage.ts";
import { type Platform, toSeconds } from "./platform.ts";

interface GetOrCreate {
  deploymentName: string;
  environmentName: string;
  objectCreationType: ObjectCreationType;
}

/** Of a list, when the client does not say how long it is to be, and the most that it gets. */
const usualPage = 100;
const longestPage = 1000;

export function objectRequest({ config }: Platform, kind: ObjectKind, request: GetOrCreate): ObjectRequest {
  const { deploymentName: name, environmentName: environment } = request;
  return { kind, creation: creationOf(request.objectCreationType), name, environment, createdBy: config.workspace };
}

export interface ObjectPage {
  environment: Environment;
  objects: NamedObject[];
}

export async function pageOf(
  tx: Tx,
  kind: ObjectKind,
  { environmentName, pagination }: { environmentName: string; pagination?: ListPagination | undefined },
): Promise<ObjectPage> {
  const environment = await findEnvironment(tx, environmentName);
  const { maxObjects, createdBefore } = pagination ?? { maxObjects: 0, createdBefore: 0 };
  const before = createdBefore > 0 ? Math.round(createdBefore * 1000) : Number.MAX_SAFE_INTEGER;
  const limit = maxObjects > 0 ? Math.min(maxObjects, longestPage) : usualPage;
  return { environment, objects: await tx.objects.newest(kind, environment.id, before, limit) };
}

export interface ObjectMetadata {
  name: string;
  creationInfo: { createdAt: number; createdBy: string };
}

export function metadataOf({ name, createdAt, createdBy }: NamedObject): ObjectMetadata {
  return { name, creationInfo: { createdAt: toSeconds(createdAt), createdBy } };
}

function creationOf(type: ObjectCreationType): Creation {
  switch (type) {
    case ObjectCreationType.UNSPECIFIED:
      return "lookUp";
    case ObjectCreationType.CREATE_IF_MISSING:
      return "ifMissing";
    case ObjectCreationType.CREATE_FAIL_IF_EXISTS:
      return "failIfExists";
    case ObjectCreationType.EPHEMERAL:
      return "ephemeral";
    default:
      throw fail("invalidArgument", "Dicts and queues have a name or are ephemeral, and none is overwritten.");
  }
}
