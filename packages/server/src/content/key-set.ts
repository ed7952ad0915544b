/**
 * A set of any number of keys in 16 MiB: it never forgets a key, but may take another one for one that it has: once in 60,000
 * with four million keys in it, once in 25 with twenty million. Each set errs about other keys.
 */
import { hash, randomBytes } from "node:crypto";

const wordBits = 32;
const words = 2 ** 22;
/** Of the eight words of a digest. */
const probes = 6;

export class KeySet {
  readonly #bits = new Uint32Array(words);
  readonly #salt = randomBytes(8).toString("hex");
  #last = "";

  add(key: string): void {
    if (key === this.#last) return; // small files that lie in one content come one after the other
    this.#last = key;
    for (const place of this.#places(key)) {
      const word = place >>> 5;
      this.#bits[word] = (this.#bits[word] ?? 0) | (1 << (place % wordBits));
    }
  }

  has(key: string): boolean {
    return this.#places(key).every((place) => ((this.#bits[place >>> 5] ?? 0) >>> (place % wordBits)) & 1);
  }

  #places(key: string): number[] {
    const digest = hash("sha256", this.#salt + key, "buffer");
    return Array.from({ length: probes }, (_, i) => digest.readUInt32LE(i * 4) % (words * wordBits));
  }
}
