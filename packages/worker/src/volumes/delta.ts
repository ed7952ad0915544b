/** What of a difference was not published yet: pure. */
import type { Difference, WrittenPath } from "./difference.ts";

/** What was published of an upper: for each path the signature of what was written, or that it is gone. */
export type Published = ReadonlyMap<string, string>;

const goneMark = "gone";

export interface Delta {
  /** Folders before what is in them. */
  readonly written: ReadonlyMap<string, WrittenPath>;
  /** The innermost first. */
  readonly removed: readonly string[];
  /** Paths that are again what the stack below the upper shows. */
  readonly restored: readonly string[];
}

export function publishedBy({ written, removed }: Difference): Map<string, string> {
  const published = new Map(removed.map((path) => [path, goneMark]));
  for (const [path, { signature }] of written) published.set(path, signature);
  return published;
}

export function deltaOf(difference: Difference, before: Published): Delta {
  const now = publishedBy(difference);
  const written = new Map([...difference.written].filter(([path, { signature }]) => before.get(path) !== signature));
  const removed = difference.removed.filter((path) => before.get(path) !== goneMark);
  const dropped = [...before].filter(([path]) => !now.has(path)).map(([path]) => path);
  // What was written and is no more: gone, unless the stack shows something under the name, which then is what it was.
  return { written, removed, restored: dropped };
}

export function isEmpty({ written, removed, restored }: Delta): boolean {
  return written.size + removed.length + restored.length === 0;
}
