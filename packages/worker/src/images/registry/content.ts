/** Content that is known by its digest: it is what it is called, or it is an error. */
import { createHash } from "node:crypto";

import { PlatformError } from "@lydian/kit";

import type { Descriptor } from "./manifests.ts";

/** Something else came than what was asked for: no other way round it would be right. */
export class WrongContentError extends PlatformError {}

/** The bytes, passed on; the end comes only after all of them have proved to be the right ones. */
export async function* verified(
  descriptor: Pick<Descriptor, "digest" | "size">,
  bytes: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const piece of bytes) {
    size += piece.length;
    if (size > descriptor.size) throw wrongContent(what, `more than ${descriptor.size} bytes`);
    hash.update(piece);
    yield piece;
  }
  if (size !== descriptor.size) throw wrongContent(what, `${size} bytes instead of ${descriptor.size}`);
  const digest = `sha256:${hash.digest("hex")}`;
  if (digest !== descriptor.digest) throw wrongContent(what, digest);
}

export function wrongContent(what: string, found: string): WrongContentError {
  return new WrongContentError(`something else came than ${what}: ${found}`, {
    hint: "nothing of it is kept; is the registry, a proxy on the way to it, or the file damaged?",
  });
}
