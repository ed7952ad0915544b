/** Small files of a commit as one content, which is sent and synced at once, where they lie one after the other. */
import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

import { hasCode } from "@lydian/kit/errors";

import type { WrittenPath } from "./difference.ts";
import { signatureOf } from "./stack.ts";

export type FileToPack = Pick<WrittenPath, "file" | "signature" | "isFixed" | "size">;

export interface Packed {
  readonly bytes: Uint8Array;
  readonly sha256: Uint8Array;
  /** By their signatures; those that have changed meanwhile are not in it. */
  readonly files: readonly { readonly signature: string; readonly offset: number; readonly length: number }[];
}

export function packOf(files: readonly FileToPack[]): Packed {
  const room = Buffer.allocUnsafe(files.reduce((bytes, { size }) => bytes + size, 0));
  const packed: { signature: string; offset: number; length: number }[] = [];
  let end = 0;
  for (const file of files) {
    if (!readInto(room.subarray(end, end + file.size), file)) continue;
    const length = lengthWithoutZeros(room.subarray(end, end + file.size));
    packed.push({ signature: file.signature, offset: end, length });
    end += length;
  }
  const bytes = room.subarray(0, end);
  return { bytes, sha256: createHash("sha256").update(bytes).digest(), files: packed };
}

/** Whether the file is as it was when its signature was taken. */
function readInto(room: Buffer, { file, signature, isFixed }: FileToPack): boolean {
  let descriptor: number;
  try {
    // A pipe that has taken the file's place would not be opened otherwise.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "ELOOP", "ENXIO")) return false; // gone meanwhile
    throw error;
  }
  try {
    const isSame = (): boolean => signatureOf(fstatSync(descriptor, { bigint: true }), isFixed) === signature;
    if (!isSame()) return false;
    for (let read = 0; read < room.length;) {
      const bytes = readSync(descriptor, room, read, room.length - read, read);
      if (bytes === 0) return false; // it has become shorter
      read += bytes;
    }
    return isFixed || isSame();
  } finally {
    closeSync(descriptor);
  }
}

const zeros = Buffer.alloc(64 * 1024);

/** What a piece lacks at its end is zeros. */
export function lengthWithoutZeros(bytes: Buffer): number {
  let end = bytes.length;
  while (end >= zeros.length && bytes.subarray(end - zeros.length, end).equals(zeros)) end -= zeros.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}
