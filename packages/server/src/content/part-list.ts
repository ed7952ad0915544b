/** The list of parts that completes an upload: the XML that object stores take, in the one form that clients write. */
import { fail } from "../errors.ts";

export interface ListedPart {
  /** From 1. */
  part: number;
  /** The MD5 in hexadecimal that the upload of the part was answered with. */
  etag: string;
}

/** Throws invalidArgument for anything else than a list of parts. */
export function parsePartList(xml: string): ListedPart[] {
  const body = /^\s*(?:<\?xml[^>]*\?>)?\s*<CompleteMultipartUpload[^>]*>([\s\S]*)<\/CompleteMultipartUpload>\s*$/.exec(
    xml,
  )?.[1];
  if (body === undefined) throw fail("invalidArgument", "The body is not a list of parts (CompleteMultipartUpload).");
  const listed: ListedPart[] = [];
  for (const [, content = ""] of body.matchAll(/<Part>([^]*?)<\/Part>/g)) {
    const part = Number(/<PartNumber>\s*(\d{1,5})\s*<\/PartNumber>/.exec(content)?.[1]);
    const etag = /<ETag>\s*(?:"|&quot;)?([0-9a-f]{32})(?:"|&quot;)?\s*<\/ETag>/.exec(content)?.[1];
    if (!(part >= 1) || etag === undefined) {
      throw fail("invalidArgument", `Part ${listed.length + 1} of the list lacks its number or its ETag.`);
    }
    listed.push({ part, etag });
  }
  return listed;
}

/** The answer to a completion. */
export function completionReply(etag: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<CompleteMultipartUploadResult><ETag>"${etag}"</ETag></CompleteMultipartUploadResult>\n`;
}
