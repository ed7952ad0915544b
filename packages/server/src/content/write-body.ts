/** Bytes from anywhere into a file, counted and hashed on the way, in bounded memory. */
import { createHash, type Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

import { fail } from "../errors.ts";

/** A whole body at once, or a stream of it. */
export type Body = Uint8Array | AsyncIterable<Uint8Array>;

export interface Written {
  /** Bytes. */
  size: number;
  /** Hexadecimal, by algorithm; only those asked for. */
  digests: ReadonlyMap<"md5" | "sha256", string>;
}

/** Network chunks are small; this many bytes go into one system call. */
const batchBytes = 1024 * 1024;

/**
 * Writes the body to the end of `handle`, or only hashes it when there is none. Throws invalidArgument as soon as the
 * body is longer than `mostBytes`.
 */
export async function writeBody(
  body: Body,
  options: { handle?: FileHandle; hashes: readonly ("md5" | "sha256")[]; mostBytes?: number | undefined },
): Promise<Written> {
  const { handle, mostBytes = Number.POSITIVE_INFINITY } = options;
  const hashes = new Map<"md5" | "sha256", Hash>(options.hashes.map((name) => [name, createHash(name)]));
  let size = 0;
  let batch: Uint8Array[] = [];
  let batched = 0;
  const flush = async (): Promise<void> => {
    if (handle !== undefined && batched > 0) await writeWhole(handle, batch, batched);
    batch = [];
    batched = 0;
  };
  for await (const chunk of body instanceof Uint8Array ? [body] : body) {
    size += chunk.length;
    if (size > mostBytes)
      throw fail("invalidArgument", `The body is longer than the ${mostBytes} bytes it should have.`);
    for (const hash of hashes.values()) hash.update(chunk);
    batch.push(chunk);
    batched += chunk.length;
    if (batched >= batchBytes) await flush();
  }
  await flush();
  return { size, digests: new Map([...hashes].map(([name, hash]) => [name, hash.digest("hex")])) };
}

async function writeWhole(handle: FileHandle, batch: readonly Uint8Array[], length: number): Promise<void> {
  const { bytesWritten } = await handle.writev(batch);
  // The kernel may take less than it was given; the rest goes piece by piece.
  if (bytesWritten < length) await handle.writeFile(Buffer.concat(batch).subarray(bytesWritten));
}
