/**
 * Reads tar archives as layers of images are packed: POSIX with its extended headers, and GNU's. It is fed pieces and tells
 * a sink what is in them, all synchronously; it keeps bytes as bytes, for extended attributes are not text.
 */
import { PlatformError } from "@lydian/kit/errors";

export type EntryType = "file" | "folder" | "symbolic link" | "hard link" | "device" | "fifo";

export interface TarHeader {
  readonly name: string;
  readonly type: EntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the content that follows. */
  readonly size: number;
  /** Where in the archive the content begins. */
  readonly offset: number;
  /** In seconds. */
  readonly mtime: number;
  /** Empty where the entry is no link. */
  readonly linkName: string;
  readonly attributes: ReadonlyMap<string, Buffer>;
  /** Which parts of the file the content is; absent: all of it. */
  readonly sparse?: SparseMap;
}

export interface SparseMap {
  /** Of the file with its holes. */
  readonly size: number;
  readonly parts: readonly { readonly offset: number; readonly length: number }[];
}

export interface TarSink {
  begin(header: TarHeader): void;
  /** A piece of the content; its memory is used again afterwards. */
  content(bytes: Buffer): void;
  end(): void;
}

const blockSize = 512;

/** Names and attributes of one entry are never longer. */
const largestMeta = 1024 * 1024;

const types = new Map<string, EntryType>([
  ["0", "file"],
  ["\0", "file"],
  ["7", "file"],
  ["S", "file"],
  ["1", "hard link"],
  ["2", "symbolic link"],
  ["3", "device"],
  ["4", "device"],
  ["5", "folder"],
  ["6", "fifo"],
]);

type Step = "header" | "more of a sparse map" | "meta" | "content" | "padding" | "end";

export class TarReader {
  readonly #sink: TarSink;
  #step: Step = "header";
  /** What came of a block or of meta data that is not whole yet. */
  #held: Buffer[] = [];
  /** Bytes to come in this step. */
  #left = blockSize;
  /** So many bytes have been read. */
  #at = 0;
  #padding = 0;
  #flag = "";
  #header: Buffer = Buffer.alloc(0);
  #sparse: { offset: number; length: number }[] = [];
  #records = new Map<string, Buffer>();

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.#step !== "end";) {
      const piece = bytes.subarray(at, at + this.#left);
      at += piece.length;
      this.#left -= piece.length;
      this.#at += piece.length;
      if (this.#step === "content") this.#sink.content(piece);
      else if (this.#step !== "padding") this.#held.push(this.#left === 0 ? piece : Buffer.from(piece));
      if (this.#left === 0) this.#next();
    }
  }

  /** After the last piece. What fills up the end of an archive may be missing, as it is from umoci's. */
  finish(): void {
    const isBetween = this.#step === "padding" || (this.#step === "header" && this.#left === blockSize);
    if (this.#step !== "end" && !isBetween) throw damaged("it ends in the middle of an entry");
  }

  #next(): void {
    switch (this.#step) {
      case "header":
        return this.#readHeader(this.#take());
      case "more of a sparse map":
        return this.#readSparseBlock(this.#take());
      case "meta":
        this.#readMeta(this.#take());
        return this.#pad();
      case "content":
        this.#sink.end();
        return this.#pad();
      case "padding":
        return this.#expect("header", blockSize);
      case "end":
    }
  }

  #take(): Buffer {
    const [first] = this.#held;
    const whole = this.#held.length === 1 && first !== undefined ? first : Buffer.concat(this.#held);
    this.#held = [];
    return whole;
  }

  #expect(step: Step, bytes: number): void {
    this.#step = step;
    this.#left = bytes;
  }

  #pad(): void {
    if (this.#padding === 0) this.#expect("header", blockSize);
    else this.#expect("padding", this.#padding);
  }

  #readHeader(block: Buffer): void {
    if (block.every((byte) => byte === 0)) return this.#expect("end", 1);
    checkSum(block);
    this.#flag = block.toString("latin1", 156, 157);
    const size = this.#sizeOf(block);
    this.#padding = (blockSize - (size % blockSize)) % blockSize;
    if ("xgLK".includes(this.#flag)) {
      if (size > largestMeta) throw damaged(`names or attributes of ${size} bytes`);
      this.#expect("meta", size);
      if (size === 0) this.#next();
      return;
    }
    this.#header = Buffer.from(block);
    this.#sparse = [];
    if (this.#flag === "S") return this.#readOldSparse(block, 386, 4, block[482] !== 0);
    this.#begin(size);
  }

  #begin(size: number): void {
    const header = this.#describe(size);
    this.#records = new Map();
    this.#sink.begin(header);
    this.#expect("content", size);
    if (size === 0) this.#next();
  }

  /** GNU's old way: a list in the header, which goes on in blocks of its own. */
  #readOldSparse(block: Buffer, from: number, count: number, goesOn: boolean): void {
    for (let at = from; at < from + count * 24; at += 24) {
      const part = { offset: numberIn(block, at, 12), length: numberIn(block, at + 12, 12) };
      if (part.length > 0) this.#sparse.push(part);
    }
    if (this.#sparse.length > largestMeta / 24) throw damaged("a file with too many holes");
    if (goesOn) this.#expect("more of a sparse map", blockSize);
    else this.#begin(this.#sizeOf(this.#header));
  }

  #readSparseBlock(block: Buffer): void {
    this.#readOldSparse(block, 0, 21, block[504] !== 0);
  }

  #readMeta(bytes: Buffer): void {
    if (this.#flag === "L") this.#records.set("path", untilZero(bytes));
    else if (this.#flag === "K") this.#records.set("linkpath", untilZero(bytes));
    else if (this.#flag === "x") for (const [key, value] of recordsIn(bytes)) this.#records.set(key, value);
    // "g" is about all that follows; nothing that builders put there is about files.
  }

  #sizeOf(block: Buffer): number {
    const given = isOwnHeader(this.#flag) ? undefined : this.#records.get("size");
    const size = given === undefined ? numberIn(block, 124, 12) : Number(given.toString("latin1"));
    if (!Number.isSafeInteger(size) || size < 0) throw damaged("a size that is no number");
    // A size with these is of what the link points to, and nothing follows.
    return ["hard link", "symbolic link", "folder"].includes(types.get(this.#flag) ?? "") ? 0 : size;
  }

  #describe(size: number): TarHeader {
    const block = this.#header;
    const text = (key: string): string | undefined => this.#records.get(key)?.toString("utf8");
    const number = (key: string, at: number, length: number): number => {
      const given = text(key);
      const value = given === undefined ? numberIn(block, at, length) : Number(given);
      if (!Number.isFinite(value)) throw damaged(`${key} that is no number`);
      return value;
    };
    const name = text("path") ?? nameIn(block);
    const type = types.get(this.#flag);
    if (type === undefined) throw damaged(`${JSON.stringify(name)} is of a type that is not known: ${this.#flag}`);
    if ([...this.#records.keys()].some((key) => key.startsWith("GNU.sparse."))) {
      throw damaged(`${JSON.stringify(name)} is packed with holes in a way that is not known`);
    }
    return {
      name,
      type: type === "file" && this.#flag !== "S" && name.endsWith("/") ? "folder" : type,
      mode: numberIn(block, 100, 8) & 0o7777,
      uid: number("uid", 108, 8),
      gid: number("gid", 116, 8),
      size,
      offset: this.#at,
      mtime: number("mtime", 136, 12),
      linkName: text("linkpath") ?? textIn(block, 157, 100),
      attributes: attributesIn(this.#records),
      ...(this.#flag === "S" && { sparse: { size: numberIn(block, 483, 12), parts: this.#sparse } }),
    };
  }
}

/** Of the header itself, not of the entry to come. */
const isOwnHeader = (flag: string): boolean => "xgLK".includes(flag);

function attributesIn(records: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> {
  const prefix = "SCHILY.xattr.";
  const found = [...records].filter(([key]) => key.startsWith(prefix));
  return new Map(found.map(([key, value]) => [key.slice(prefix.length), value]));
}

/** Lines "LENGTH KEY=VALUE\n", whose length counts all of it; a value may contain any byte. */
function* recordsIn(bytes: Buffer): Generator<[string, Buffer]> {
  for (let at = 0; at < bytes.length && bytes[at] !== 0;) {
    const blank = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, blank));
    const equals = bytes.indexOf(0x3d, blank);
    const end = at + length;
    if (blank < 0 || !Number.isSafeInteger(length) || length < 5 || end > bytes.length || equals < 0 || equals >= end) {
      throw damaged("an extended header that cannot be read");
    }
    yield [bytes.toString("utf8", blank + 1, equals), Buffer.from(bytes.subarray(equals + 1, end - 1))];
    at = end;
  }
}

function checkSum(block: Buffer): void {
  let sum = 8 * 0x20; // its own field counts as blanks
  for (let at = 0; at < blockSize; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  if (sum !== numberIn(block, 148, 8)) throw damaged("a header has a wrong sum");
}

function nameIn(block: Buffer): string {
  const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? textIn(block, 345, 155) : "";
  const name = textIn(block, 0, 100);
  return prefix === "" ? name : `${prefix}/${name}`;
}

const textIn = (block: Buffer, at: number, length: number): string =>
  untilZero(block.subarray(at, at + length)).toString("utf8");

function untilZero(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Octal digits; or, as GNU writes what does not fit, a binary number behind a byte with the highest bit. */
function numberIn(block: Buffer, at: number, length: number): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) !== 0) {
    const isNegative = first === 0xff;
    let value = isNegative ? -1 : first & 0x7f;
    for (let next = at + 1; next < at + length; next++) value = value * 256 + (block[next] ?? 0);
    return value;
  }
  const digits = block
    .toString("latin1", at, at + length)
    .replace(/\0.*$/s, "")
    .trim();
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw damaged("a header has a number that is none");
  return Number.parseInt(digits, 8);
}

function damaged(why: string): PlatformError {
  return new PlatformError(`the archive of a layer is damaged or of another kind: ${why}`);
}
