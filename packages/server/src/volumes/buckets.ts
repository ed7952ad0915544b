/** The buckets of S3-compatible stores that a function mounts, and what opens them. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CloudBucketMount, CloudBucketMount_BucketType, type Function, type worker } from "@lydian/contract";

import type { Secret } from "../domain/secret.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { nameOf, secretsOf } from "../secrets/known.ts";
import type { Vault } from "../secrets/vault.ts";
import { checkPlaces, pathOf, volumesOf } from "./mounts.ts";

type Definition = Pick<Function, "cloudBucketMounts" | "volumeMounts">;
type BucketMount = MessageInitShape<typeof worker.BucketMountSchema>;
type Place = Omit<worker.BucketMount, "$typeName" | "$unknown" | "credentials" | "region">;

/** The variables of a secret that are a key, by the stores' own names. */
const keyNames = {
  amazon: { id: "AWS_ACCESS_KEY_ID", key: "AWS_SECRET_ACCESS_KEY" },
  google: { id: "GOOGLE_ACCESS_KEY_ID", key: "GOOGLE_ACCESS_KEY_SECRET" },
} as const;

/** Throws for what cannot be mounted, notFound for a secret that is not there. */
export async function checkBuckets(tx: Tx, { cloudBucketMounts, volumeMounts }: Definition): Promise<void> {
  if (cloudBucketMounts.length === 0) return;
  for (const mount of cloudBucketMounts) {
    bucketOf(mount);
    const [secret] = await secretsOf(tx, secretOf(mount));
    if (secret !== undefined) checkKey(mount, secret);
  }
  const volumes = await volumesOf(tx, { volumeMounts });
  checkPlaces([...volumes.map(({ path }) => path), ...cloudBucketMounts.map(({ mountPath }) => pathOf(mountPath))]);
}

/** With the keys that open them. */
export async function openBuckets(
  tx: Tx,
  { cloudBucketMounts }: Pick<Function, "cloudBucketMounts">,
  vault: Vault,
): Promise<BucketMount[]> {
  const opened: BucketMount[] = [];
  for (const mount of cloudBucketMounts) {
    const values = await vault.environmentOf(tx, secretOf(mount));
    const names = keysOf(mount);
    const [accessKeyId = "", secretAccessKey = ""] = [values[names.id], values[names.key]];
    const credentials = { accessKeyId, secretAccessKey, sessionToken: values["AWS_SESSION_TOKEN"] ?? "" };
    const region = values["AWS_REGION"] ?? values["AWS_DEFAULT_REGION"] ?? "";
    opened.push({ ...bucketOf(mount), region, ...(accessKeyId !== "" && { credentials }) });
  }
  return opened;
}

export const secretOf = ({ credentialsSecretId: id }: CloudBucketMount): string[] => (id === "" ? [] : [id]);

const keysOf = ({ bucketType }: CloudBucketMount): (typeof keyNames)[keyof typeof keyNames] =>
  bucketType === CloudBucketMount_BucketType.GCP ? keyNames.google : keyNames.amazon;

function checkKey(mount: CloudBucketMount, secret: Secret): void {
  const { id, key } = keysOf(mount);
  const lacking = [id, key].find((name) => !secret.keys.includes(name));
  if (lacking === undefined) return;
  throw fail("invalidArgument", `Secret ${nameOf(secret)}, of bucket "${mount.bucketName}", has no ${lacking}.`, {
    hint: `Give it ${id} and ${key}, or mount the bucket without a secret, when everybody may read it`,
  });
}

function bucketOf(mount: CloudBucketMount): Place {
  const { bucketName: name, mountPath, bucketEndpointUrl: endpoint = "", keyPrefix: prefix = "" } = mount;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(name) || name.includes("..")) {
    throw fail("invalidArgument", `${JSON.stringify(name)} is not the name of a bucket.`);
  }
  if (prefix !== "" && !isPrefix(prefix)) {
    throw fail("invalidArgument", `Bucket "${name}": ${JSON.stringify(prefix)} cannot be the beginning of its keys.`, {
      hint: 'Write it as in "data/2024/": with a slash at its end, and none at its beginning',
    });
  }
  return {
    path: pathOf(mountPath),
    bucket: name,
    prefix,
    endpoint: endpoint === "" ? "" : originOf(name, endpoint),
    readOnly: mount.readOnly,
    requesterPays: mount.requesterPays,
    pathStyle: mount.forcePathStyle,
  };
}

const isPrefix = (text: string): boolean =>
  text.endsWith("/") &&
  !text.includes("\0") &&
  text
    .slice(0, -1)
    .split("/")
    .every((part) => part !== "" && part !== "." && part !== "..");

function originOf(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.pathname === "/" && url.search === "" && url.hash === "" && url.username === "";
  if (isPlain && /^https?:$/.test(url.protocol)) return url.origin;
  throw fail("invalidArgument", `Bucket "${name}": ${JSON.stringify(text)} is not the address of a store.`, {
    hint: "Write it as in https://store.example.org:9000, without a path",
  });
}
