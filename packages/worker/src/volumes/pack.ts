/** Contents of a commit: small files as one, where they lie one after the other, and pieces of large ones. */
import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

import { hasCode } from "@lydian/kit/errors";
import { nameOnDisk } from "@lydian/kit/file-names";

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

export interface PieceToRead {
  readonly file: FileToPack;
  /** Where in the file. */
  readonly at: number;
  readonly length: number;
  /** For what is read, which its owner sees there. */
  readonly memory: SharedArrayBuffer;
}

export interface PieceRead {
  readonly sha256: Uint8Array;
  /** Without the zeros at its end. */
  readonly length: number;
}

/** Undefined when the file has changed meanwhile. */
export function pieceOf({ file, at, length, memory }: PieceToRead): PieceRead | undefined {
  const room = Buffer.from(memory, 0, length);
  if (!readInto(room, file, at)) return undefined;
  const content = room.subarray(0, lengthWithoutZeros(room));
  return { sha256: createHash("sha256").update(content).digest(), length: content.length };
}

/** Whether the file is as it was when its signature was taken. */
function readInto(room: Buffer, { file, signature, isFixed }: FileToPack, from = 0): boolean {
  let descriptor: number;
  try {
    // A pipe that has taken the file's place would not be opened otherwise.
    descriptor = openSync(nameOnDisk(file), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "ELOOP", "ENXIO")) return false; // gone meanwhile
    throw error;
  }
  try {
    const isSame = (): boolean => signatureOf(fstatSync(descriptor, { bigint: true }), isFixed) === signature;
    if (!isSame()) return false;
    for (let read = 0; read < room.length;) {
      const bytes = readSync(descriptor, room, read, room.length - read, from + read);
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
