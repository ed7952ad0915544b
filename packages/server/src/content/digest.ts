/** SHA-256 digests as names of content: checked where they come in, so that no path is ever made of anything else. */
import { fail } from "../errors.ts";

/** A SHA-256 as 64 lower-case hexadecimal digits. */
export type Sha256 = string & { readonly sha256: unique symbol };

export function isSha256(text: string): text is Sha256 {
  return /^[0-9a-f]{64}$/.test(text);
}

/** Throws invalidArgument for anything else than a digest. */
export function sha256Of(text: string): Sha256 {
  if (isSha256(text)) return text;
  throw fail("invalidArgument", `${JSON.stringify(text.slice(0, 80))} is not a SHA-256 in lower-case hexadecimal.`);
}

/** From `BlobCreateRequest.content_sha256_base64`. Throws invalidArgument. */
export function sha256FromBase64(text: string): Sha256 {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === 32) return bytes.toString("hex") as Sha256;
  throw fail("invalidArgument", `${JSON.stringify(text.slice(0, 80))} is not a SHA-256 in base64.`);
}
