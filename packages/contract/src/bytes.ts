// Copying the bytes of decoded messages.

/**
 * A copy to keep. Decoded `bytes` fields share memory with the received buffer, so keeping one keeps the whole
 * message alive, and a later write to either shows in both. `slice()` is no copy where the field is a Buffer.
 */
export function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
