/**
 * Makes one plain layer of the sealed uppers of a container, which shows what they show together: by links, so no content is
 * copied. It stands in their place when no state of the volume does, since others' commits came between.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { type Change, composed, nothing } from "./change.ts";
import { plain } from "./delta.ts";
import type { WrittenPath } from "./difference.ts";
import type { LayerPart } from "./layer-batch.ts";
import type { LayerMaker } from "./layer-maker.ts";
import { shownAt, type Stack } from "./stack.ts";
import type { UpperReader, UpperToRead } from "./upper-reader.ts";

/** As many paths are made at a time. */
const mostParts = 1000;

/** `uppers`: the lowest first. False when a file has too many names already; what was made is then of no use. */
export async function foldUppers(
  { reader, maker }: { reader: UpperReader; maker: LayerMaker },
  { uppers, base, folder }: { uppers: readonly UpperToRead[]; base: Stack; folder: string },
): Promise<boolean> {
  let change: Change = nothing;
  for (const upper of uppers) change = composed(change, await reader.read(upper), (path) => shownAs(base, path));
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const parts = partsOf(change);
  for (let first = 0; first < parts.length; first += mostParts) {
    const left = await maker.read({ folder, base, parts: parts.slice(first, first + mostParts) });
    if (left.length > 0) return false;
  }
  return true;
}

/** What is written before what is gone: a file in the place of a folder hides all that was in it. */
function partsOf({ removed, written }: Change): LayerPart[] {
  const gone = removed.map(plain).filter((path) => !written.has(path));
  const all = new Set(gone);
  const outermost = gone.filter((path) => !all.has(join(path, "..")));
  return [
    ...[...written].map(([path, each]) => partOf(path, each)),
    ...outermost.map((path): LayerPart => ({ kind: "gone", path })),
  ];
}

function partOf(path: string, { kind, mode, target, file }: WrittenPath): LayerPart {
  switch (kind) {
    case "folder":
      return { kind, path, mode };
    case "link":
      return { kind, path, target };
    case "file":
      return { kind: "known", path, file, isPlain: true };
  }
}

/** As those of a difference that are removed; undefined where nothing is. */
function shownAs(base: Stack, path: string): string | undefined {
  const shown = shownAt(base, path);
  return shown && (shown.kind === "folder" ? `${path}/` : path);
}
