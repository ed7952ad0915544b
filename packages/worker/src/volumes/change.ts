/** What a commit does: pure. */
import { plain } from "./delta.ts";
import { innermostFirst, type WrittenPath } from "./difference.ts";

export interface Change {
  /** As those of a difference. */
  readonly removed: readonly string[];
  /** By path, folders before what is in them. */
  readonly written: ReadonlyMap<string, WrittenPath>;
  /** As that of a difference: with one it cannot be made. */
  readonly tooLong?: string | undefined;
}

export const nothing: Change = { removed: [], written: new Map() };

export const changesNothing = ({ removed, written }: Change): boolean => removed.length + written.size === 0;

/**
 * One that does what two do, one after the other. `before`: what was there before the first one, as those that are removed;
 * undefined for nothing, which must not be taken away: it is another's if it is there now.
 */
export function composed(first: Change, second: Change, before: (path: string) => string | undefined): Change {
  const gone = new Set(second.removed.map(plain));
  const written = new Map([...first.written].filter(([path]) => !gone.has(path)));
  for (const [path, each] of second.written) written.set(path, each);
  const removed = second.removed.flatMap((path) =>
    first.written.has(plain(path)) ? (before(plain(path)) ?? []) : path,
  );
  const isLeft = first.tooLong !== undefined && !foldersOf(first.tooLong).some((path) => gone.has(path));
  const tooLong = isLeft ? first.tooLong : second.tooLong;
  return { removed: [...new Set([...first.removed, ...removed])].toSorted(innermostFirst), written, tooLong };
}

/** Itself, and those above it. */
function foldersOf(path: string): string[] {
  const names = path.split("/");
  return names.map((_, i) => names.slice(0, i + 1).join("/"));
}
