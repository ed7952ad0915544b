/** Bytes from anywhere into a file, counted and hashed on the way, in bounded memory. */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

import { fail } from "../errors.ts";
import { hashing, type HashName } from "./hashing.ts";

/** A whole body at once, or a stream of it. */
export type Body = Uint8Array | AsyncIterable<Uint8Array>;

export interface Written {
  /** Bytes. */
  size: number;
  /** Hexadecimal, by algorithm; only those asked for. */
  digests: ReadonlyMap<HashName, string>;
}

/** Network chunks are small; this many bytes go into one system call. A body of more is hashed beside the event loop. */
const batchBytes = 1024 * 1024;

/**
 * Writes the body to the end of `handle`, or only hashes it when there is none. Throws invalidArgument as soon as the
 * body is longer than `mostBytes`.
 */
export async function writeBody(
  body: Body,
  options: { handle?: FileHandle; hashes: readonly HashName[]; mostBytes?: number | undefined },
): Promise<Written> {
  const { handle, hashes, mostBytes = Number.POSITIVE_INFINITY } = options;
  let size = 0;
  let batch: Uint8Array[] = [];
  let batched = 0;
  let job: number | undefined;
  const flush = async (): Promise<void> => {
    job ??= hashing.begin(hashes, handle?.fd);
    const full = batch;
    [batch, batched] = [[], 0];
    await hashing.add(job, full);
  };
  try {
    for await (const chunk of body instanceof Uint8Array ? [body] : body) {
      size += chunk.length;
      if (size > mostBytes)
        throw fail("invalidArgument", `The body is longer than the ${mostBytes} bytes it should have.`);
      batch.push(chunk);
      batched += chunk.length;
      if (batched >= batchBytes) await flush();
    }
    if (job === undefined) return { size, digests: await writeSmall(batch, batched, options) };
    await flush();
  } catch (error) {
    if (job !== undefined) await hashing.end(job).catch(() => {}); // then nobody writes to the file any more
    throw error;
  }
  return { size, digests: await hashing.end(job) };
}

async function writeSmall(
  chunks: readonly Uint8Array[],
  length: number,
  { handle, hashes }: { handle?: FileHandle; hashes: readonly HashName[] },
): Promise<Map<HashName, string>> {
  const made = hashes.map((name) => [name, createHash(name)] as const);
  for (const chunk of chunks) for (const [, hash] of made) hash.update(chunk);
  if (handle !== undefined && length > 0) await writeWhole(handle, chunks, length);
  return new Map(made.map(([name, hash]) => [name, hash.digest("hex")]));
}

async function writeWhole(handle: FileHandle, batch: readonly Uint8Array[], length: number): Promise<void> {
  const { bytesWritten } = await handle.writev(batch);
  // The kernel may take less than it was given; the rest goes piece by piece.
  if (bytesWritten < length) await handle.writeFile(Buffer.concat(batch).subarray(bytesWritten));
}
