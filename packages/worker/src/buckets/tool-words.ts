/** What rclone is told of a bucket, as arguments and environment: pure. */
import type { ContainerSpec } from "@lydian/contract/worker";

export type BucketMount = Omit<ContainerSpec["buckets"][number], "$typeName" | "$unknown">;

/** All that it keeps of a file in memory: what is read ahead, and each of the parts that are on their way. */
const ahead = "4M";
const partsAtOnce = "2";

/** How long others' changes may go unseen. */
const listingKept = "10s";

/** The bucket, from the prefix on. */
export const remoteOf = ({ bucket, prefix }: BucketMount): string => `:s3:${bucket}/${prefix}`.replace(/\/$/, "");

export interface MountPlace {
  /** An empty folder. */
  readonly target: string;
  /** Whom all files belong to. */
  readonly owner: number;
  readonly logFile: string;
}

/**
 * It returns when the bucket is mounted, and a process goes on. Nothing is kept on disk: a file is written from its
 * beginning to its end, and is in the bucket when it is closed.
 */
export function mountWords(mount: BucketMount, { target, owner, logFile }: MountPlace): string[] {
  return [
    ...["mount", remoteOf(mount), target, "--daemon", "--config", ""],
    ...["--allow-other", "--default-permissions", "--uid", `${owner}`, "--gid", `${owner}`],
    ...["--dir-perms", "0755", "--file-perms", "0644", "--vfs-cache-mode", "off", "--use-server-modtime"],
    ...["--dir-cache-time", listingKept, "--attr-timeout", "1s", "--buffer-size", ahead],
    ...["--s3-upload-concurrency", partsAtOnce, "--streaming-upload-cutoff", "5M"],
    ...["--log-file", logFile, "--log-level", "NOTICE", "--contimeout", "10s", "--timeout", "1m"],
    ...["--low-level-retries", "4"],
    ...(mount.readOnly ? ["--read-only"] : []),
  ];
}

/** It ends well when the bucket can be listed. */
export function listWords(mount: BucketMount): string[] {
  const tries = ["--retries", "1", "--low-level-retries", "1", "--contimeout", "1500ms", "--timeout", "10s"];
  return ["lsf", remoteOf(mount), "--max-depth", "1", "--config", "", ...tries];
}

/** Nothing of the host's own: neither its credentials, nor its roles. */
export function toolEnvironment(mount: BucketMount): Record<string, string> {
  const { endpoint, region, credentials, requesterPays, pathStyle } = mount;
  const settings = {
    PROVIDER: endpoint === "" ? "AWS" : "Other",
    ENDPOINT: endpoint,
    REGION: region || (endpoint === "" ? "us-east-1" : ""),
    ENV_AUTH: "false",
    ACCESS_KEY_ID: credentials?.accessKeyId ?? "",
    SECRET_ACCESS_KEY: credentials?.secretAccessKey ?? "",
    SESSION_TOKEN: credentials?.sessionToken ?? "",
    REQUESTER_PAYS: requesterPays ? "true" : "",
    FORCE_PATH_STYLE: endpoint === "" && !pathStyle ? "false" : "true",
    NO_CHECK_BUCKET: "true",
    NO_HEAD: "true",
    ACL: endpoint === "" ? "bucket-owner-full-control" : "", // no other one is taken where lists are switched off
  };
  const given = Object.entries(settings).filter(([, value]) => value !== "");
  return Object.fromEntries(given.map(([name, value]) => [`RCLONE_S3_${name}`, value]));
}
