/** ADD unpacks archives: what is one, by its first bytes, and its files in a folder of their own. */
import { createReadStream } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { Readable } from "node:stream";

import { PlatformError } from "@lydian/kit";

import { applyLayer } from "../images/index.ts";

/** Where a tar archive says that it is one. */
const tarMark = { offset: 257, text: "ustar" };
const headBytes = 512;

const magics: readonly (readonly [kind: "packed" | "unknown", bytes: string])[] = [
  ["packed", "1f8b"], // gzip
  ["packed", "28b52ffd"], // zstd
  ["unknown", "fd377a585a00"], // xz
  ["unknown", "425a68"], // bzip2
];

/** Whether ADD unpacks it, by its name and first bytes: what is packed without being an archive stays as it is. Pure. */
export function isArchive(name: string, head: Uint8Array): boolean {
  const bytes = Buffer.from(head);
  if (bytes.toString("latin1", tarMark.offset, tarMark.offset + tarMark.text.length) === tarMark.text) return true;
  const kind = magics.find(([, magic]) => bytes.toString("hex").startsWith(magic))?.[0];
  if (kind === undefined || !/\.(t[a-z0-9]{2,3}|tar\.[a-z0-9]+)$/.test(name)) return false;
  if (kind === "packed") return true;
  throw new PlatformError(`${name} is packed in a way that ADD does not unpack here`, {
    hint: "pack it with gzip or zstd, or COPY it and unpack it with RUN",
  });
}

export async function headOf(content: string | Uint8Array): Promise<Uint8Array> {
  if (typeof content !== "string") return content.subarray(0, headBytes);
  await using file = await open(content, "r");
  const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
  return buffer.subarray(0, bytesRead);
}

/** `folder` is made, and filled. */
export async function unpack(content: string | Uint8Array, folder: string, signal: AbortSignal): Promise<void> {
  await mkdir(folder, { mode: 0o755 });
  const archive = typeof content === "string" ? createReadStream(content) : Readable.from([content]);
  await applyLayer(archive as AsyncIterable<Uint8Array>, { diff: folder, diffId: undefined, signal });
}
