/**
 * Unpacks a layer of an image, a tar archive, into a folder as overlayfs takes it for a lower layer.
 *
 * Not taken over in this first version: extended attributes (file capabilities have no effect in containers, which
 * cannot gain privileges) and device nodes and FIFOs (the runtime makes the devices that containers may have).
 */
import { constants } from "node:fs";
import { chmod, chown, lchown, link, lstat, lutimes, open, symlink, utimes } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";

import { hasCode } from "@lydian/kit";
import { extract as tarExtract, type Extract, type Header } from "tar-stream";

import { makeOpaque, makeWhiteout } from "../../layers/index.ts";
import { DiffTree, isWhiteout, type Place, refused, relativePath } from "./diff-tree.ts";
import type { Compression } from "./manifests.ts";

/** In an archive a whiteout is a file with this prefix; the names below it with a second one belong to older tools. */
const whiteoutPrefix = ".wh.";
const opaqueName = ".wh..wh..opq";

const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** `archive` yields the packed bytes; `diff` is an empty folder. */
export async function applyLayer(
  archive: AsyncIterable<Uint8Array>,
  compression: Compression,
  diff: string,
  signal: AbortSignal,
): Promise<void> {
  const extract = tarExtract();
  const layer = new LayerWriter(diff);
  let failed: { error: unknown } | undefined;
  const applying = async (): Promise<void> => {
    for await (const entry of extract) {
      try {
        await layer.add(entry.header, entry as AsyncIterable<Uint8Array>);
        entry.resume();
      } catch (error) {
        // An entry also breaks off when the archive does; then that is the reason.
        if (!isEnding(extract)) failed = { error };
        throw error;
      }
    }
  };
  const feeding = pipeline([archive, ...unpack(compression), extract], { signal });
  const [applied, fed] = await Promise.allSettled([applying(), feeding]);
  signal.throwIfAborted();
  if (failed !== undefined) throw failed.error;
  if (fed.status === "rejected") throw fed.reason;
  if (applied.status === "rejected") throw applied.reason;
  await layer.finish();
}

/** From the moment on that somebody destroys it. */
function isEnding(extract: Extract): boolean {
  return extract.destroying;
}

function unpack(compression: Compression): NodeJS.ReadWriteStream[] {
  switch (compression) {
    case "gzip":
      return [createGunzip()];
    case "zstd":
      return [createZstdDecompress()];
    case "none":
      return [];
  }
}

class LayerWriter {
  readonly #tree: DiffTree;
  /** Set at the end, for what is made in a folder changes its time. */
  readonly #folderTimes = new Map<string, Date>();

  constructor(diff: string) {
    this.#tree = new DiffTree(diff);
  }

  async add(header: Header, content: AsyncIterable<Uint8Array>): Promise<void> {
    const place = await this.#tree.place(header.name);
    if (place === undefined) return await this.#addRoot(header);
    if (place.name.startsWith(whiteoutPrefix)) return await this.#addWhiteout(place, header.name);
    switch (header.type) {
      case "directory":
        return await this.#addFolder(place, header);
      case "file":
      case "contiguous-file":
        return await this.#addFile(place, header, content);
      case "symlink":
        return await this.#addSymbolicLink(place, header);
      case "link":
        return await this.#addHardLink(place, header);
      case "character-device":
      case "block-device":
      case "fifo":
        return;
      default:
        throw refused(header.name, `entries of the type ${String(header.type)} are not known`);
    }
  }

  async finish(): Promise<void> {
    for (const [folder, time] of this.#folderTimes) {
      try {
        if ((await lstat(folder)).isDirectory()) await utimes(folder, time, time);
      } catch (error) {
        if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error; // a later entry has replaced it
      }
    }
  }

  async #addRoot(header: Header): Promise<void> {
    if (header.type !== "directory") throw refused(header.name, "the root of a layer is a folder");
    await this.#setOwner(this.#tree.root, header);
  }

  async #addFolder(place: Place, header: Header): Promise<void> {
    await this.#tree.makeFolder(place);
    const folder = this.#tree.file(place);
    await this.#setOwner(folder, header);
    if (header.mtime !== undefined) this.#folderTimes.set(folder, header.mtime);
  }

  async #addFile(place: Place, header: Header, content: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#tree.clear(place);
    await using file = await open(this.#tree.file(place), newFile, 0o600);
    for await (const piece of content) await file.writeFile(piece);
    // In this order: a change of the owner takes the set-user-id bit away.
    await file.chown(header.uid ?? 0, header.gid ?? 0);
    await file.chmod(modeOf(header));
    if (header.mtime !== undefined) await file.utimes(header.mtime, header.mtime);
  }

  async #addSymbolicLink(place: Place, header: Header): Promise<void> {
    const target = header.linkname ?? "";
    if (target === "") throw refused(header.name, "a symbolic link to nothing");
    await this.#tree.clear(place);
    const file = this.#tree.file(place);
    await symlink(target, file);
    await lchown(file, header.uid ?? 0, header.gid ?? 0);
    if (header.mtime !== undefined) await lutimes(file, header.mtime, header.mtime);
  }

  /** link(2) does not follow a symbolic link, it makes a second name for it. */
  async #addHardLink(place: Place, header: Header): Promise<void> {
    const target = await this.#tree.place(header.linkname ?? "");
    const there = target === undefined ? undefined : await this.#tree.look(target);
    if (target === undefined || there === undefined || there.isDirectory() || isWhiteout(there)) {
      throw refused(header.name, `it is a link to ${JSON.stringify(header.linkname)}, which is no file of this layer`);
    }
    if (relativePath(target) === relativePath(place)) return;
    await this.#tree.clear(place);
    await link(this.#tree.file(target), this.#tree.file(place));
  }

  /** A whiteout speaks of the layers below alone: what this layer itself has under the name stays. */
  async #addWhiteout({ folder, name }: Place, entry: string): Promise<void> {
    if (name === opaqueName) return makeOpaque(this.#tree.root, folder === "" ? "." : folder);
    if (name.startsWith(whiteoutPrefix + whiteoutPrefix)) return;
    const hidden = { folder, name: name.slice(whiteoutPrefix.length) };
    if (["", ".", ".."].includes(hidden.name)) throw refused(entry, "a whiteout without a name");
    const there = await this.#tree.look(hidden);
    if (there === undefined) makeWhiteout(this.#tree.root, relativePath(hidden));
    else if (there.isDirectory()) makeOpaque(this.#tree.root, relativePath(hidden));
  }

  async #setOwner(path: string, header: Header): Promise<void> {
    await chown(path, header.uid ?? 0, header.gid ?? 0);
    await chmod(path, modeOf(header));
  }
}

function modeOf(header: Header): number {
  return (header.mode ?? 0o644) & 0o7777;
}
