/** What of a difference was not published yet: pure. */
import { type Difference, isFolderSignature, type WrittenPath } from "./difference.ts";

/** What was published of an upper: for each path the signature of what was written, or that it is gone. */
export type Published = ReadonlyMap<string, string>;

const goneMark = "gone";

/** Without the slash of a folder. */
export const plain = (path: string): string => (path.endsWith("/") ? path.slice(0, -1) : path);

export interface Delta {
  /** Folders before what is in them. */
  readonly written: ReadonlyMap<string, WrittenPath>;
  /** As those of the difference; what was published is gone as what it was published as. */
  readonly removed: readonly string[];
  /** Paths that were published and are again what the stack below the upper shows; those that were folders with a slash. */
  readonly restored: readonly string[];
}

export function publishedBy({ written, removed }: Difference): Map<string, string> {
  const published = new Map(removed.map((path) => [plain(path), goneMark]));
  for (const [path, { signature }] of written) published.set(path, signature);
  return published;
}

/** As those that a difference removes; undefined for what is gone. */
export function publishedAs(path: string, signature: string): string | undefined {
  if (signature === goneMark) return undefined;
  return isFolderSignature(signature) ? `${path}/` : path;
}

export function deltaOf(difference: Difference, before: Published): Delta {
  const now = publishedBy(difference);
  const written = new Map([...difference.written].filter(([path, { signature }]) => before.get(path) !== signature));
  const removed = difference.removed.flatMap((path) => {
    const signature = before.get(plain(path));
    return signature === undefined ? path : (publishedAs(plain(path), signature) ?? []);
  });
  const restored = [...before].flatMap(([path, each]) => (now.has(path) ? [] : (publishedAs(path, each) ?? path)));
  return { written, removed, restored };
}
