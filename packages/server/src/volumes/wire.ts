/** Entries of volumes as workers say and hear them. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { worker } from "@lydian/contract";

import { type Entry, type EntryKind, type KeptEntry } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { filePath } from "./paths.ts";

const Kind = worker.VolumeEntry_Kind;

const toWire: Record<EntryKind, worker.VolumeEntry_Kind> = { file: Kind.FILE, folder: Kind.FOLDER, link: Kind.LINK };
const fromWire = new Map<number, EntryKind>(
  Object.entries(toWire).map(([kind, number]) => [number, kind as EntryKind]),
);

export function entryToWire(entry: KeptEntry): worker.VolumeChange {
  const { path, kind, mode, mtime, size, pieces, target, since } = entry;
  const value: MessageInitShape<typeof worker.VolumeEntrySchema> = {
    ...{ path, mode, target, kind: toWire[kind], mtimeUs: BigInt(mtime), size: BigInt(size), since: BigInt(since) },
    pieces: pieces.map(({ sha256, offset, length }) => ({
      sha256: Buffer.from(sha256, "hex"),
      offset: BigInt(offset),
      length: BigInt(length),
    })),
  };
  return create(worker.VolumeChangeSchema, { change: { case: "written", value } });
}

/** Throws invalidArgument for what cannot be an entry. */
export function entryOfWire(entry: worker.VolumeEntry): Entry {
  const { path, mode, target } = entry;
  const kind = fromWire.get(entry.kind);
  if (kind === undefined || filePath(path) !== path) {
    throw fail("invalidArgument", `${JSON.stringify(path)} is no entry of a volume.`);
  }
  return {
    ...{ path, kind, target, mode: mode & 0o7777, mtime: Number(entry.mtimeUs), size: Number(entry.size) },
    pieces: entry.pieces.map(({ sha256, offset, length }) => ({
      sha256: Buffer.from(sha256).toString("hex"),
      offset: Number(offset),
      length: Number(length),
    })),
  };
}
