/** What a volume's file is made of, as one column: digest, offset and length of each piece. */
import type { Piece } from "../domain/volume.ts";

const pieceRow = 32 + 8 + 4;

export function encodePieces(pieces: readonly Piece[]): Uint8Array {
  const bytes = Buffer.alloc(pieces.length * pieceRow);
  for (const [i, { sha256, offset, length }] of pieces.entries()) {
    bytes.write(sha256, i * pieceRow, "hex");
    bytes.writeBigUInt64BE(BigInt(offset), i * pieceRow + 32);
    bytes.writeUInt32BE(length, i * pieceRow + 40);
  }
  return bytes;
}

export function decodePieces(content: Uint8Array): Piece[] {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return Array.from({ length: bytes.length / pieceRow }, (_, i) => {
    const at = i * pieceRow;
    const length = bytes.readUInt32BE(at + 40);
    const sha256 = length === 0 ? "" : bytes.toString("hex", at, at + 32);
    return { sha256, offset: Number(bytes.readBigUInt64BE(at + 32)), length };
  });
}
