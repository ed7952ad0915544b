/**
 * Ids as the clients expect them: a prefix that tells the kind, one dash, a body.
 *
 * A body starts with the time, so rows made together lie together in an index; the rest is random (77 bits or more).
 */
import { randomFillSync } from "node:crypto";

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const base32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The kinds of things that have ids; the clients dispatch on these prefixes. */
export type IdPrefix =
  | "ap"
  | "ac"
  | "bl"
  | "cs"
  | "de"
  | "di"
  | "en"
  | "fc"
  | "fu"
  | "im"
  | "in"
  | "mo"
  | "qu"
  | "st"
  | "ta"
  | "vo"
  | "wo";

export type Id<P extends IdPrefix = IdPrefix> = `${P}-${string}`;

/** Makes ids; a parameter so that tests can have predictable ones. */
export type NewId = <P extends IdPrefix>(prefix: P) => Id<P>;

function digits(alphabet: string, value: number, length: number): string {
  let text = "";
  for (let rest = value, i = 0; i < length; i++) {
    text = alphabet.charAt(rest % alphabet.length) + text;
    rest = Math.floor(rest / alphabet.length);
  }
  return text;
}

/** Bytes that are drawn together, for drawing takes long; each is used once and then wiped. */
const drawn = Buffer.alloc(4096);
let used = drawn.length;

function randomByte(): number {
  if (used === drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  const byte = drawn.readUInt8(used);
  drawn.writeUInt8(0, used);
  used++;
  return byte;
}

/** Uniform characters: bytes beyond the largest multiple of the alphabet's length are drawn again. */
export function randomText(length: number, alphabet: string = base62): string {
  const limit = 256 - (256 % alphabet.length);
  let text = "";
  while (text.length < length) {
    const byte = randomByte();
    if (byte < limit) text += alphabet.charAt(byte % alphabet.length);
  }
  return text;
}

/**
 * The id maker of production.
 *
 * An app's body has exactly 22 alphanumerics, or the CLI takes it for a name. A task's body has 26 characters of upper
 * case and digits and must not end in `V`, which would mark a sandbox of the second kind.
 */
export function idMaker(now: () => number): NewId {
  return (prefix) => {
    if (prefix === "ta") return `${prefix}-${digits(base32, now(), 10)}${randomText(15, base32)}0`;
    return `${prefix}-${digits(base62, now(), 9)}${randomText(13)}`;
  };
}

/** Whether a text that came from outside is an id of this kind; says nothing about existence. */
export function isId<P extends IdPrefix>(prefix: P, text: string): text is Id<P> {
  return text.startsWith(`${prefix}-`) && /^[A-Za-z0-9]{1,64}$/.test(text.slice(prefix.length + 1));
}
