/**
 * Names of files as text. The kernel takes any bytes for a name, and most are UTF-8; text has to say all of them, also on the
 * wire and in the database. A byte that is no part of UTF-8 becomes one of 128 characters of Unicode's last private area, which
 * stands for it; such a character itself is taken for four such bytes. So each name has one text, and no two have the same.
 */
const firstByte = 0x80;
const firstStandIn = 0x10fe80;
const standIns = /[\u{10FE80}-\u{10FEFF}]/u;

/** Of a path in a volume, as it lies on disk; some folders of a worker's are before it, and the kernel takes 4095 in all. */
export const mostPathBytes = 3500;

/** What a decoder that minds nothing makes of bytes that are no text. */
const replacement = "\u{FFFD}";

const strict = new TextDecoder("utf8", { fatal: true, ignoreBOM: true });

/** Also of a path, or of what a symbolic link says. */
export function textOfName(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString();
  if (!mayHideBytes(text)) return text;
  let exact = "";
  for (let at = 0; at < buffer.length;) {
    const character = characterAt(buffer, at);
    exact += character ?? String.fromCodePoint(firstStandIn + (buffer[at] ?? 0) - firstByte);
    at += character === undefined ? 1 : Buffer.byteLength(character);
  }
  return exact;
}

/** Whether the text of a name, as decoded by who minds nothing, may be another one than its exact text. */
export function mayHideBytes(text: string): boolean {
  return text.includes(replacement) || standIns.test(text);
}

/** As the calls of `node:fs` take it: text wherever that says the same bytes. */
export function nameOnDisk(text: string): string | Buffer {
  if (!standIns.test(text)) return text;
  const bytes: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes.push(standIns.test(character) ? Buffer.of(code - firstStandIn + firstByte) : Buffer.from(character));
  }
  return Buffer.concat(bytes);
}

/** Whether it is what `textOfName` says: bytes that are a character must stand as that. */
export function isTextOfName(text: string): boolean {
  const bytes = nameOnDisk(text);
  return typeof bytes === "string" || textOfName(bytes) === text;
}

/** How many bytes it has on disk. */
export function bytesOnDisk(text: string): number {
  return Buffer.byteLength(nameOnDisk(text));
}

function characterAt(bytes: Buffer, at: number): string | undefined {
  const lead = bytes[at] ?? 0;
  const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  try {
    const character = strict.decode(bytes.subarray(at, at + length));
    return standIns.test(character) ? undefined : character;
  } catch {
    return undefined; // no character begins here
  }
}
