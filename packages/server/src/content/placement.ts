/** Where a platform's content lies, which its folder remembers: in the folder itself, or in a bucket. */
import { randomUUID } from "node:crypto";
import { chown, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { hasCode, PlatformError, writeDurably } from "@lydian/kit";
import { z } from "zod";

import { type BucketKey, type BucketSettings, bucketSchema } from "../config.ts";
import { BucketPlace } from "./bucket-place.ts";
import { DiskPlace } from "./disk-place.ts";
import type { ContentPlace } from "./place.ts";

const placementSchema = bucketSchema.extend({ owner: z.string() });

type Placement = z.output<typeof placementSchema>;

const fileOf = (folder: string): string => join(folder, "content-place.json");

/** `folder` is a server's that was started before, or is to stay as it is. */
export async function contentPlace(folder: string, key: BucketKey | undefined): Promise<ContentPlace> {
  const known = await readPlacement(folder);
  if (known === undefined) return new DiskPlace(join(folder, "content"));
  return await BucketPlace.open(known, known.owner, key);
}

/**
 * As the setting says for a folder that has no content yet, else as it was; throws a PlatformError when that is another place. The
 * folder remembers it from here on.
 */
export async function settlePlace(
  folder: string,
  wanted: BucketSettings | undefined,
  key: BucketKey | undefined,
): Promise<ContentPlace> {
  const known = await readPlacement(folder);
  if (wanted === undefined || known !== undefined) {
    if (wanted !== undefined && known !== undefined && placeName(wanted) !== placeName(known)) {
      throw new PlatformError(`the content of this platform lies in ${placeName(known)}, not in ${placeName(wanted)}`, {
        hint: "start it without --content, or make a backup and restore it with another one",
      });
    }
    return await contentPlace(folder, key);
  }
  const disk = new DiskPlace(join(folder, "content"));
  for await (const _ of disk.list()) {
    throw new PlatformError("the content of this platform lies in its folder", {
      hint: "start it without --content, or make a backup and restore it with --content",
    });
  }
  const placement: Placement = { ...wanted, owner: randomUUID() };
  const place = await BucketPlace.open(wanted, placement.owner, key);
  await writeDurably(fileOf(folder), `${JSON.stringify(placement)}\n`);
  const { uid, gid } = await stat(folder);
  if (process.getuid?.() === 0) await chown(fileOf(folder), uid, gid);
  return place;
}

function placeName({ bucket, prefix, endpoint }: Pick<BucketSettings, "bucket" | "prefix" | "endpoint">): string {
  return `s3://${bucket}/${prefix}${endpoint === undefined ? "" : ` at ${endpoint}`}`;
}

async function readPlacement(folder: string): Promise<Placement | undefined> {
  try {
    return placementSchema.parse(JSON.parse(await readFile(fileOf(folder), "utf8")));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
