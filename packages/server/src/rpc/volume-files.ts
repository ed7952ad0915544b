/** What volumes show from outside, in both families of RPCs: lists of files, and links to what is in them. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { FileEntry_FileType, type FileEntrySchema, type ModalClient } from "@lydian/contract";

import type { EntryKind, KeptEntry } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { checkKept } from "../volumes/changes.ts";
import { fileAt, listFiles } from "../volumes/files.ts";
import { knownVolume } from "../volumes/known.ts";
import { settled } from "../volumes/owed.ts";
import { volumePath } from "../volumes/paths.ts";
import { type PieceLinks, pieceLinkLifeMs, rangesOf } from "../volumes/piece-links.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import { baseFor } from "./base-url.ts";
import type { Platform } from "./platform.ts";

interface ListRequest {
  volumeId: string;
  path: string;
  recursive: boolean;
  maxEntries?: number | undefined;
}

export function volumeFileRpcs(platform: Platform, links: PieceLinks): Rpcs<typeof ModalClient> {
  const { store } = platform;
  return {
    volumeListFiles: userOrContainer((request, call) => list(platform, request, call)),
    volumeListFiles2: userOrContainer((request, call) => list(platform, request, call)),
    volumeGetFile2: userOrContainer(async ({ volumeId, path, start, len, clientPadsBlocks }, call) => {
      await settled(platform, volumeId, call);
      const entry = await store.read(async (tx) => fileAt(tx, await knownVolume(tx, volumeId), path));
      const range = rangeIn(entry, Number(start), Number(len));
      const base = await baseFor(platform, call);
      return {
        getUrls: rangesOf(entry, range, clientPadsBlocks).map((piece) => links.get(base, piece, pieceLinkLifeMs)),
        size: BigInt(entry.size),
        start: BigInt(range.start),
        len: BigInt(range.length),
      };
    }),
  };
}

/** All of it as of one commit, however long it takes to send. */
async function* list(
  platform: Platform,
  { volumeId, path: text, recursive, maxEntries = Number.POSITIVE_INFINITY }: ListRequest,
  { signal }: Call,
): AsyncGenerator<{ entries: MessageInitShape<typeof FileEntrySchema>[] }> {
  const { store } = platform;
  const path = volumePath(text);
  await settled(platform, volumeId, { signal });
  const volume = await store.read((tx) => knownVolume(tx, volumeId));
  let left = maxEntries;
  for (let after = ""; left > 0 && !signal.aborted;) {
    const from = after;
    const found = await store.read(async (tx) => {
      checkKept(await knownVolume(tx, volumeId), volume.head);
      return await listFiles(tx, { volume, path, recursive }, from);
    });
    if (found.length === 0) return;
    yield { entries: found.slice(0, left).map(fileEntry) };
    left -= found.length;
    after = found.at(-1)?.path ?? "";
  }
}

function rangeIn({ path, size }: KeptEntry, start: number, length: number): { start: number; length: number } {
  if (start > size) throw fail("outOfRange", `${path} has only ${size} bytes.`);
  return { start, length: length === 0 ? size - start : Math.min(length, size - start) };
}

const kinds: Record<EntryKind, FileEntry_FileType> = {
  file: FileEntry_FileType.FILE,
  folder: FileEntry_FileType.DIRECTORY,
  link: FileEntry_FileType.SYMLINK,
};

function fileEntry({ path, kind, mtime, size }: KeptEntry): MessageInitShape<typeof FileEntrySchema> {
  return { path, type: kinds[kind], mtime: BigInt(Math.floor(mtime / 1_000_000)), size: BigInt(size) };
}
