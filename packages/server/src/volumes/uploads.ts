/** Files that clients upload, as entries of a volume over stored content. */
import type { ContentStore } from "../content/content-store.ts";
import { type Entry, type Piece, pieceBytes } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { filePath } from "./paths.ts";

/** Version 1: a file is one content. */
export interface WholeFile {
  path: string;
  /** Hex. */
  sha256: string;
  /** Permission bits; 0 for the default. */
  mode: number;
}

/** Version 2: a file is a list of blocks of `pieceBytes`, without the zeros at each one's end. */
export interface BlockFile {
  path: string;
  /** Bytes. */
  size: number;
  /** Hex, in order. */
  blocks: readonly string[];
  mode: number;
}

export interface MissingBlock {
  file: number;
  block: number;
  /** Hex. */
  sha256: string;
}

const usualMode = 0o644;

/** Of no bytes: a block of nothing but zeros. */
const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Throws failedPrecondition for a file whose content was not stored before. */
export async function wholeFiles(content: ContentStore, files: readonly WholeFile[], now: number): Promise<Entry[]> {
  const sizes = await sizesOf(content, new Set(files.map(({ sha256 }) => sha256)));
  return files.map(({ path, sha256, mode }) => {
    const size = sizes.get(sha256);
    if (size === undefined) throw fail("failedPrecondition", `The content of "${path}" was not uploaded.`);
    const pieces = Array.from({ length: Math.ceil(size / pieceBytes) }, (_, i): Piece => {
      const offset = i * pieceBytes;
      return { sha256, offset, length: Math.min(pieceBytes, size - offset) };
    });
    return file({ path, size, mode, pieces }, now);
  });
}

/** The files, or which of their blocks are not stored. */
export async function blockFiles(
  content: ContentStore,
  files: readonly BlockFile[],
  now: number,
): Promise<{ entries: Entry[]; missing: MissingBlock[] }> {
  for (const { path, size, blocks } of files) {
    if (blocks.length === Math.ceil(size / pieceBytes)) continue;
    throw fail("invalidArgument", `"${path}" has ${size} bytes, but ${blocks.length} blocks of 8 MiB.`);
  }
  const sizes = await sizesOf(content, new Set(files.flatMap(({ blocks }) => blocks)));
  sizes.set(emptySha256, 0);
  const missing = files.flatMap(({ blocks }, file) =>
    blocks.flatMap((sha256, block) => (sizes.has(sha256) ? [] : [{ file, block, sha256 }])),
  );
  if (missing.length > 0) return { entries: [], missing };
  const entries = files.map(({ path, size, mode, blocks }) => {
    const pieces = blocks.map((sha256, i): Piece => {
      const length = sizes.get(sha256) ?? 0;
      if (length > Math.min(pieceBytes, size - i * pieceBytes)) {
        throw fail("invalidArgument", `Block ${i + 1} of "${path}" is longer than its place in the file.`);
      }
      return { sha256: length === 0 ? "" : sha256, offset: 0, length };
    });
    return file({ path, size, mode, pieces }, now);
  });
  return { entries, missing };
}

function file({ path, size, mode, pieces }: Pick<Entry, "path" | "size" | "mode" | "pieces">, now: number): Entry {
  const bits = mode & 0o7777;
  const base = { kind: "file", mtime: now * 1000, target: "" } as const;
  return { ...base, path: filePath(path), size, mode: bits === 0 ? usualMode : bits, pieces };
}

/** How many files are looked at at a time. */
const atOnce = 256;

async function sizesOf(content: ContentStore, digests: ReadonlySet<string>): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  const all = [...digests];
  for (let i = 0; i < all.length; i += atOnce) {
    await Promise.all(
      all.slice(i, i + atOnce).map(async (sha256) => {
        const size = await content.size(sha256);
        if (size !== undefined) sizes.set(sha256, size);
      }),
    );
  }
  return sizes;
}
