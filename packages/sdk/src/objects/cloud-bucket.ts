/** A bucket of an S3-compatible store as a folder of containers. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { CloudBucketMount_BucketType as BucketType, type CloudBucketMountSchema } from "@lydian/contract";

import { InvalidError } from "../errors.ts";
import type { AppPlace } from "./place.ts";
import type { Secret } from "./secret.ts";

/** How a bucket is opened. */
export interface CloudBucketOptions {
  /** Its key: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, of Google GOOGLE_ACCESS_KEY_ID and GOOGLE_ACCESS_KEY_SECRET, and where needed
   *  AWS_REGION. Without it the bucket has to be readable for everybody. */
  secret?: Secret;
  /** The store's address, such as "https://ACCOUNT.r2.cloudflarestorage.com"; Amazon's unless it is given. */
  bucketEndpointUrl?: string;
  /** Only what is below this prefix, which ends in "/". */
  keyPrefix?: string;
  /** Nothing is written. */
  readOnly?: boolean;
  /** Whoever reads pays, which some buckets want; only with a `secret`. */
  requesterPays?: boolean;
  /** The bucket's name is in the path and not in the host. */
  forcePathStyle?: boolean;
}

/** Among `volumes`: `{ "/data": new CloudBucketMount("my-bucket", { secret: Secret.fromName("aws") }) }`. */
export class CloudBucketMount {
  /** Of the store. */
  readonly bucketName: string;
  readonly #options: CloudBucketOptions;

  /** Throws an InvalidError for a prefix that does not end in "/", and for `requesterPays` without a key. */
  constructor(bucketName: string, options: CloudBucketOptions = {}) {
    const { keyPrefix, requesterPays, secret } = options;
    if (keyPrefix?.endsWith("/") === false)
      throw new InvalidError(`keyPrefix is ${JSON.stringify(keyPrefix)}, and has to end in "/"`);
    if (requesterPays === true && secret === undefined)
      throw new InvalidError("requesterPays needs the key of who pays: give a secret");
    this.bucketName = bucketName;
    this.#options = options;
  }

  /** @internal */
  async wire(mountPath: string, place: AppPlace): Promise<MessageInitShape<typeof CloudBucketMountSchema>> {
    const { secret, bucketEndpointUrl, keyPrefix, readOnly, requesterPays, forcePathStyle } = this.#options;
    return {
      bucketName: this.bucketName,
      mountPath,
      credentialsSecretId: secret === undefined ? "" : await secret.id(place),
      readOnly: readOnly ?? false,
      requesterPays: requesterPays ?? false,
      forcePathStyle: forcePathStyle ?? false,
      bucketType: typeOf(bucketEndpointUrl),
      ...(bucketEndpointUrl !== undefined && { bucketEndpointUrl }),
      ...(keyPrefix !== undefined && { keyPrefix }),
    };
  }
}

function typeOf(endpoint: string | undefined): BucketType {
  if (endpoint === undefined) return BucketType.S3;
  if (!URL.canParse(endpoint))
    throw new InvalidError(`bucketEndpointUrl is ${JSON.stringify(endpoint)}, which is no address`);
  const { hostname } = new URL(endpoint);
  if (hostname.endsWith("r2.cloudflarestorage.com")) return BucketType.R2;
  return hostname.endsWith("storage.googleapis.com") ? BucketType.GCP : BucketType.S3;
}
