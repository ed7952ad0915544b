/** The bytes of a volume's files, read and written from outside of its containers. */
import { createHash } from "node:crypto";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { ModalClient } from "@lydian/contract";

import type { Client } from "../client/client.ts";
import { ConflictError, InvalidError } from "../errors.ts";
import { exchange } from "../values/payload.ts";
import { inParallel } from "./in-parallel.ts";

const rpc = ModalClient.method;
/** Files travel in pieces of this size. */
const blockBytes = 8 * 1024 * 1024;
const patienceMs = 120_000;

/** A file of a volume: gone through piece by piece, or taken whole. */
export class VolumeFile implements AsyncIterable<Uint8Array> {
  readonly #pieces: () => AsyncGenerator<Uint8Array, void>;

  /** @internal */
  constructor(pieces: () => AsyncGenerator<Uint8Array, void>) {
    this.#pieces = pieces;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    return this.#pieces();
  }

  /** All of it. */
  async bytes(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** As UTF-8. */
  async text(): Promise<string> {
    return Buffer.from(await this.bytes()).toString();
  }
}

export async function* piecesOf(client: Client, volumeId: string, path: string): AsyncGenerator<Uint8Array, void> {
  const { getUrls } = await client.ask(rpc.volumeGetFile2, { volumeId, path });
  for (const url of getUrls) yield new Uint8Array(await (await exchange(url, {})).arrayBuffer());
}

/** Where a file's bytes are: on this machine, or here. */
type Source = { readonly file: string } | { readonly bytes: Uint8Array };

interface Upload {
  readonly path: string;
  readonly source: Source;
  readonly size: number;
  readonly mode: number | undefined;
}

/** What is to go into a volume together: all of it, or nothing. */
export class VolumeBatch {
  readonly #puts: (() => Promise<Upload[]>)[] = [];

  /** A file of this machine, or bytes, at a path of the volume. */
  putFile(local: string | URL | Uint8Array, remote: string, { mode }: { mode?: number } = {}): void {
    this.#puts.push(async () => {
      if (local instanceof Uint8Array)
        return [{ path: remote, source: { bytes: local }, size: local.byteLength, mode: mode ?? 0o644 }];
      const file = pathOf(local);
      return [await uploadOf(file, remote, mode)];
    });
  }

  /** A folder of this machine with all files below it. */
  putDirectory(local: string | URL, remote: string): void {
    this.#puts.push(async () => {
      const folder = pathOf(local);
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
      return await Promise.all(
        files.map((file) => {
          const below = file.slice(folder.length).split(sep).join("/").replace(/^\//, "");
          return uploadOf(file, `${remote.replace(/\/$/, "")}/${below}`);
        }),
      );
    });
  }

  /** @internal With `force` files that are there are written anew. */
  async send(client: Client, volumeId: string, force: boolean): Promise<void> {
    const uploads = (await Promise.all(this.#puts.map((put) => put()))).flat();
    if (uploads.length === 0) return;
    const files = await inParallel(uploads, async (upload) => ({
      path: upload.path,
      size: BigInt(upload.size),
      ...(upload.mode !== undefined && { mode: upload.mode }),
      blocks: await Promise.all(
        Array.from({ length: Math.ceil(upload.size / blockBytes) }, async (_, at) => ({
          contentsSha256: createHash("sha256")
            .update(await blockOf(upload, at))
            .digest(),
          putResponse: undefined as Uint8Array | undefined,
        })),
      ),
    }));
    const request = { volumeId, files, disallowOverwriteExistingFiles: !force };
    const { missingBlocks } = await client.ask(rpc.volumePutFiles2, request, { patienceMs });
    if (missingBlocks.length === 0) return;
    await inParallel(missingBlocks, async ({ fileIndex, blockIndex, putUrl }) => {
      const upload = uploads[Number(fileIndex)];
      const block = files[Number(fileIndex)]?.blocks[Number(blockIndex)];
      if (upload === undefined || block === undefined)
        throw new Error("the platform asks for a block that there is not");
      const body = (await blockOf(upload, Number(blockIndex))) as Uint8Array<ArrayBuffer>;
      block.putResponse = new Uint8Array(await (await exchange(putUrl, { method: "PUT", body })).arrayBuffer());
    });
    const second = await client.ask(rpc.volumePutFiles2, request, { patienceMs });
    if (second.missingBlocks.length > 0)
      throw new ConflictError("files were changed while they were sent", { hint: "upload them again" });
  }
}

const pathOf = (local: string | URL): string => (local instanceof URL ? fileURLToPath(local) : local);

async function uploadOf(file: string, path: string, mode?: number): Promise<Upload> {
  const found = await stat(file);
  if (!found.isFile())
    throw new InvalidError(`${file} is no file`, { hint: "upload a folder by putDirectory(local, remote)" });
  return { path, source: { file }, size: found.size, mode: mode ?? found.mode & 0o777 };
}

/** Without the zeros at its end, as the wire has it. */
async function blockOf({ source, size }: Upload, at: number): Promise<Uint8Array> {
  const [from, to] = [at * blockBytes, Math.min(size, (at + 1) * blockBytes)];
  const block = "bytes" in source ? source.bytes.subarray(from, to) : await readRange(source.file, from, to);
  let end = block.byteLength;
  while (end > 0 && block[end - 1] === 0) end--;
  return block.subarray(0, end);
}

async function readRange(file: string, from: number, to: number): Promise<Uint8Array> {
  if (from === 0 && to < blockBytes) return await readFile(file);
  await using handle = await open(file);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(to - from), 0, to - from, from);
  return buffer.subarray(0, bytesRead);
}
