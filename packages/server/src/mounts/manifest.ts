/** A mount's list of files, kept as content under its own digest. */
import { createHash } from "node:crypto";

import { create, toBinary } from "@bufbuild/protobuf";
import { worker } from "@lydian/contract";

import { fail } from "../errors.ts";

export interface MountedFile {
  /** Absolute in the container. */
  path: string;
  /** Hex. */
  sha256: string;
  size: number;
  /** Permission bits; 0 for the default. */
  mode: number;
}

export interface Manifest {
  bytes: Uint8Array;
  /** Hex. */
  sha256: string;
}

/** The same files give the same bytes, in whatever order they came. */
export function buildManifest(files: readonly MountedFile[]): Manifest {
  for (const { path, sha256 } of files) {
    if (!path.startsWith("/") || path.split("/").includes("..")) {
      throw fail("invalidArgument", `The path "${path}" of a mounted file is not an absolute path without "..".`);
    }
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw fail("invalidArgument", `The digest of "${path}" is no SHA-256 in hex.`);
  }
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const manifest = create(worker.ManifestSchema, {
    files: sorted.map(({ path, sha256, size, mode }) => ({ path, sha256, size: BigInt(size), mode })),
  });
  const bytes = toBinary(worker.ManifestSchema, manifest);
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Names no files: what a mount is that the worker provides by itself, such as the client's own package. */
export const emptyManifestSha256 = buildManifest([]).sha256;
