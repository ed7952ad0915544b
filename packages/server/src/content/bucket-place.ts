/**
 * Content as objects of a bucket of an S3-compatible store, named by their digests behind a prefix that is one platform's alone.
 * The client's code is loaded only where there is a bucket.
 */
import { open, rm, stat } from "node:fs/promises";
import { Readable } from "node:stream";

import type { S3Client } from "@aws-sdk/client-s3";
import { PlatformError } from "@lydian/kit";

import type { BucketKey, BucketSettings } from "../config.ts";
import { isSha256, type Sha256 } from "./digest.ts";
import type { ByteRange, ContentPlace, ListedContent, OpenContent } from "./place.ts";

type Sdk = typeof import("@aws-sdk/client-s3");

/** Longer content goes in parts of so many bytes, of which there may be 10,000. They are in memory while they are sent. */
const usualPart = 16 * 1024 * 1024;
const mostParts = 10_000;
const partsAtOnce = 4;

/** Requests that are given up: nothing came for so long, in milliseconds. */
const silenceMs = 60_000;
const connectMs = 10_000;

/** An object that says whose the prefix is. */
const ownerName = "platform";

export class BucketPlace implements ContentPlace {
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  private constructor(sdk: Sdk, client: S3Client, { bucket, prefix }: BucketSettings) {
    this.#sdk = sdk;
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix;
  }

  /** Throws a PlatformError when the bucket cannot be used, or what is behind the prefix is not `owner`'s. */
  static async open(settings: BucketSettings, owner: string, key: BucketKey | undefined): Promise<BucketPlace> {
    const sdk = await import("@aws-sdk/client-s3");
    const { endpoint, region } = settings;
    const client = new sdk.S3Client({
      region,
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      ...(key && { credentials: key }),
      // Other stores than Amazon's do not know all checksums; content has one of its own.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      requestHandler: { connectionTimeout: connectMs, requestTimeout: silenceMs, socketTimeout: silenceMs },
    });
    const place = new BucketPlace(sdk, client, settings);
    try {
      await place.#claim(owner);
      await place.#abortUploads();
      return place;
    } catch (error) {
      client.destroy();
      if (error instanceof PlatformError) throw error;
      const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new PlatformError(`bucket ${settings.bucket} cannot be used: ${why}`, {
        hint: "look at its name, its endpoint, and the key that LYDIAN_CONTENT_KEY_ID and LYDIAN_CONTENT_KEY give",
        cause: error,
      });
    }
  }

  async take(file: string, sha256: Sha256): Promise<void> {
    const { size } = await stat(file);
    if (size <= usualPart) {
      const Body = await readPart(file, { start: 0, end: size - 1 });
      await this.#client.send(new this.#sdk.PutObjectCommand({ ...this.#at(sha256), Body, ContentLength: size }));
    } else await this.#takeInParts(file, sha256, size);
    await rm(file, { force: true });
  }

  async size(sha256: Sha256): Promise<number | undefined> {
    try {
      const { ContentLength = 0 } = await this.#client.send(new this.#sdk.HeadObjectCommand(this.#at(sha256)));
      return ContentLength;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async open(sha256: Sha256): Promise<OpenContent | undefined> {
    const size = await this.size(sha256);
    if (size === undefined) return undefined;
    let stream: Readable | undefined;
    return {
      size,
      stream: (range) => {
        stream = Readable.from(this.#read(sha256, range), { objectMode: false });
        return stream;
      },
      [Symbol.asyncDispose]: async () => void stream?.destroy(),
    };
  }

  async remove(sha256: Sha256): Promise<void> {
    await this.#client.send(new this.#sdk.DeleteObjectCommand(this.#at(sha256)));
  }

  async *list(): AsyncGenerator<ListedContent> {
    for (let token: string | undefined, more = true; more;) {
      const { Contents = [], NextContinuationToken } = await this.#client.send(
        new this.#sdk.ListObjectsV2Command({
          Bucket: this.#bucket,
          Prefix: this.#prefix,
          ...(token !== undefined && { ContinuationToken: token }),
        }),
      );
      for (const { Key = "", Size = 0 } of Contents) {
        const sha256 = Key.slice(this.#prefix.length);
        if (isSha256(sha256)) yield { sha256, size: Size };
      }
      token = NextContinuationToken;
      more = token !== undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }

  async *#read(sha256: Sha256, range: ByteRange | undefined): AsyncGenerator<Uint8Array> {
    const part = range && { Range: `bytes=${range.start}-${range.end}` };
    const { Body } = await this.#client.send(new this.#sdk.GetObjectCommand({ ...this.#at(sha256), ...part }));
    for await (const chunk of (Body ?? []) as AsyncIterable<Uint8Array>) yield chunk;
  }

  async #takeInParts(file: string, sha256: Sha256, size: number): Promise<void> {
    const { CreateMultipartUploadCommand, UploadPartCommand, CompleteMultipartUploadCommand } = this.#sdk;
    const { AbortMultipartUploadCommand } = this.#sdk;
    const at = this.#at(sha256);
    const { UploadId } = await this.#client.send(new CreateMultipartUploadCommand(at));
    const partLength = Math.max(usualPart, Math.ceil(size / mostParts));
    const count = Math.ceil(size / partLength);
    const parts: { PartNumber: number; ETag: string | undefined }[] = [];
    const send = async (PartNumber: number): Promise<void> => {
      const start = (PartNumber - 1) * partLength;
      const Body = await readPart(file, { start, end: Math.min(start + partLength, size) - 1 });
      const { ETag } = await this.#client.send(new UploadPartCommand({ ...at, UploadId, PartNumber, Body }));
      parts[PartNumber - 1] = { PartNumber, ETag };
    };
    try {
      for (let first = 1; first <= count; first += partsAtOnce) {
        const numbers = Array.from({ length: Math.min(partsAtOnce, count - first + 1) }, (_, i) => first + i);
        await Promise.all(numbers.map(send));
      }
      await this.#client.send(
        new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts: parts } }),
      );
    } catch (error) {
      await this.#client.send(new AbortMultipartUploadCommand({ ...at, UploadId }));
      throw error;
    }
  }

  async #claim(owner: string): Promise<void> {
    const at = { Bucket: this.#bucket, Key: `${this.#prefix}${ownerName}` };
    try {
      const { Body } = await this.#client.send(new this.#sdk.GetObjectCommand(at));
      if ((await Body?.transformToString()) === owner) return;
      throw new PlatformError(
        `what is in bucket ${this.#bucket} behind "${this.#prefix}" belongs to another platform`,
        {
          hint: "take another prefix: two that share one would remove each other's content",
        },
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    for await (const { sha256 } of this.list()) {
      throw new PlatformError(`bucket ${this.#bucket} has content behind "${this.#prefix}" already (${sha256})`, {
        hint: "take another prefix",
      });
    }
    await this.#client.send(new this.#sdk.PutObjectCommand({ ...at, Body: owner }));
  }

  /** Those of a process that died: nobody else uploads behind the prefix. */
  async #abortUploads(): Promise<void> {
    const { ListMultipartUploadsCommand, AbortMultipartUploadCommand } = this.#sdk;
    const within = { Bucket: this.#bucket, Prefix: this.#prefix };
    const { Uploads = [] } = await this.#client.send(new ListMultipartUploadsCommand(within));
    for (const { Key, UploadId } of Uploads)
      await this.#client.send(new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key, UploadId }));
  }

  #at(sha256: Sha256): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: `${this.#prefix}${sha256}` };
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && ["NoSuchKey", "NotFound"].includes(error.name);
}

async function readPart(file: string, { start, end }: ByteRange): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(Math.max(0, end - start + 1));
  await using handle = await open(file, "r");
  for (let read = 0; read < bytes.length;) {
    const { bytesRead } = await handle.read(bytes, read, bytes.length - read, start + read);
    if (bytesRead === 0) throw new Error(`${file} has become shorter`);
    read += bytesRead;
  }
  return bytes;
}
