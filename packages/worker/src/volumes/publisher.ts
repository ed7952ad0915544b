/** Publishes what a container has written to a volume since it last did, as one commit. */
import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import { PlatformError } from "@lydian/kit";

import { type Change, changesNothing, composed, nothing } from "./change.ts";
import type { Difference, WrittenPath } from "./difference.ts";
import type { PackReader } from "./pack-reader.ts";
import type { OwedCommit } from "./owed-commits.ts";
import { Uploads } from "./upload.ts";
import type { Upper, UpperDeps } from "./upper.ts";
import { GoneError, RefusedError } from "./volume-server.ts";
import type { FileOf, Tree, VolumeTrees } from "./volume-trees.ts";

export interface PublisherDeps extends UpperDeps {
  readonly trees: VolumeTrees;
  readonly packs: PackReader;
}

/** Lets the container's processes stand still while it works. */
export type StandStill = <T>(work: () => Promise<T>) => Promise<T>;

export interface Published {
  /** Of the commit; 0 when it changed nothing on the server. Undefined when there was nothing new. */
  readonly number: number | undefined;
  /** What it leads to, where this worker has it already: that of uppers that nobody writes to any more. */
  readonly state: Promise<Tree | undefined>;
}

export interface PublishOptions {
  /** Of the commit, if there is one. */
  readonly key: () => Promise<string>;
  readonly standStill: StandStill;
  /** Whether what nobody ought to write to is known to be so: its files can be those of a layer. */
  readonly isStill: Promise<boolean>;
  /** Files that are left for another commit. */
  readonly leaves?: ((file: WrittenPath) => boolean) | undefined;
}

/** Of files that are read while processes stand still: some hundredths of a second. */
const mostWhileStill = 16 * 1024 * 1024;

/** How often an upper is read that is written to, before the large files in it are left out. */
const liveTries = 2;

const withoutState = (number: number | undefined): Published => ({ number, state: Promise.resolve(undefined) });

const foundIn = (uppers: readonly Upper[]): number | undefined =>
  uppers.find(({ found }) => found !== undefined)?.found;

/** Uppers as they were read, and what is to be made of that. */
interface Moment {
  readonly uppers: readonly Upper[];
  readonly differences: readonly Difference[];
  readonly key: string;
  readonly isStill: boolean;
}

export class Publisher {
  readonly #deps: PublisherDeps;
  readonly #volumeId: string;
  /** Who commits, for people. */
  readonly #by: string;

  constructor(deps: PublisherDeps, volumeId: string, by: string) {
    this.#deps = deps;
    this.#volumeId = volumeId;
    this.#by = by;
  }

  /**
   * `uppers`: the lowest first. While processes may write to the last one, all is read and uploaded first; then, while
   * they stand still, only what has changed meanwhile: so the commit is of one moment. Large files that are written to all
   * the while are left for another commit: nobody has to stand still until they are uploaded.
   */
  async publish(uppers: readonly Upper[], options: PublishOptions): Promise<Published> {
    const { key, standStill, isStill, leaves } = options;
    const uploads = new Uploads(this.#deps.server, this.#deps.packs);
    const read = (): Promise<Difference[]> =>
      Promise.all(
        uppers.map(async (upper) => {
          const difference = await upper.read();
          if (leaves === undefined || upper.isFixed) return difference;
          return await upper.without(difference, new Set([...difference.written.values()].filter(leaves)));
        }),
      );
    let differences = await read();
    let change = await changeOf(uppers, differences);
    if (changesNothing(change)) return withoutState(foundIn(uppers));
    await uploads.add(change.written.values());
    for (let tries = 1; uppers.some(({ isFixed }) => !isFixed); tries++) {
      const isAll = await standStill(async () => {
        differences = await read();
        change = await changeOf(uppers, differences);
        let late = uploads.missing(change.written.values());
        if (bytesOf(late) > mostWhileStill && tries === liveTries) {
          const large = new Set(late.filter(({ size }) => size > mostWhileStill / late.length));
          differences = await Promise.all(uppers.map((upper, i) => upper.without(differences[i] as Difference, large)));
          change = await changeOf(uppers, differences);
          late = uploads.missing(change.written.values());
        }
        if (bytesOf(late) > mostWhileStill) return false;
        await uploads.add(late);
        return true;
      });
      if (isAll) break;
      await uploads.add(change.written.values());
    }
    if (changesNothing(change)) return withoutState(foundIn(uppers));
    await uploads.finish();
    return await this.#commit({ uppers, differences, key: await key(), isStill: await isStill }, change, uploads);
  }

  /** Makes a commit that has returned already. `made` is told its number; undefined: the volume is gone. */
  async pay(owed: OwedCommit, made: (number: number | undefined) => Promise<void>): Promise<Published> {
    const { server, trees } = this.#deps;
    const { key, change } = owed;
    try {
      const known = await server.commitOf(this.#volumeId, key);
      if (known !== undefined) {
        await made(known); // by a worker before
        return withoutState(known);
      }
      const uploads = new Uploads(this.#deps.server, this.#deps.packs);
      await uploads.add(change.written.values());
      await uploads.finish();
      const written = new Map([...change.written].map(([path, each]) => [path, entryOf(path, each, uploads)]));
      const sent = { removed: change.removed, written: [...written.values()] };
      const commit = async (): Promise<number> => {
        const number = await server.commit(this.#volumeId, sent, { key, by: this.#by });
        await made(number);
        return number;
      };
      return await trees.commit(this.#volumeId, commit, fileOf(change, written), true);
    } catch (error) {
      if (!(error instanceof GoneError)) throw error;
      await made(undefined);
      return withoutState(undefined);
    }
  }

  async #commit({ uppers, differences, key, isStill }: Moment, change: Change, uploads: Uploads): Promise<Published> {
    const { server, trees } = this.#deps;
    const written = new Map([...change.written].map(([path, each]) => [path, entryOf(path, each, uploads)]));
    const each = async (act: (upper: Upper, difference: Difference) => Promise<void>): Promise<void> => {
      for (const [i, upper] of uppers.entries()) await act(upper, differences[i] as Difference);
    };
    await each((upper, difference) => upper.publishing(difference, key));
    const commit = async (): Promise<number> => {
      const sent = { removed: change.removed, written: [...written.values()] };
      const number = await server.commit(this.#volumeId, sent, { key, by: this.#by });
      await each((upper, difference) => upper.publishedAll(difference));
      return number;
    };
    if (uppers.some(({ isFixed }) => !isFixed)) return withoutState(await commit());
    return await trees.commit(this.#volumeId, commit, isStill ? fileOf(change, written) : () => undefined);
  }
}

/** Throws a RefusedError for what no volume can have. */
async function changeOf(uppers: readonly Upper[], differences: readonly Difference[]): Promise<Change> {
  let change = nothing;
  for (const [i, upper] of uppers.entries()) {
    const next = await upper.changeOf(differences[i] as Difference);
    change = composed(change, next, (path) => uppers[0]?.before(path));
  }
  if (change.tooLong === undefined) return change;
  const start = JSON.stringify(change.tooLong.slice(0, 100));
  throw new RefusedError(`the path that begins with ${start} is longer than one in a volume can be`, {
    hint: "remove it, or give its folders shorter names",
  });
}

const bytesOf = (files: readonly WrittenPath[]): number => files.reduce((bytes, { size }) => bytes + size, 0);

/** Files of the commit as they lie in the uppers; but not those that have what the server does not keep. */
function fileOf({ written }: Change, entries: ReadonlyMap<string, wire.VolumeEntry>): FileOf {
  return (entry) => {
    const [file, own] = [written.get(entry.path), entries.get(entry.path)];
    if (file === undefined || own === undefined || !isSame(entry, own)) return undefined;
    return file.isRoots ? { file: file.file, isPlain: false } : undefined;
  };
}

function isSame(one: wire.VolumeEntry, other: wire.VolumeEntry): boolean {
  return (
    one.kind === other.kind &&
    one.mode === other.mode &&
    one.mtimeUs === other.mtimeUs &&
    one.size === other.size &&
    one.pieces.length === other.pieces.length &&
    one.pieces.every(({ sha256, offset, length }, i) => {
      const piece = other.pieces[i];
      if (length === 0n) return piece?.length === 0n;
      return piece?.length === length && piece.offset === offset && Buffer.compare(sha256, piece.sha256) === 0;
    })
  );
}

const kinds = {
  file: wire.VolumeEntry_Kind.FILE,
  folder: wire.VolumeEntry_Kind.FOLDER,
  link: wire.VolumeEntry_Kind.LINK,
} as const;

function entryOf(path: string, written: WrittenPath, uploads: Uploads): wire.VolumeEntry {
  const { kind, mode, mtime, size, target } = written;
  const pieces = kind === "file" ? uploads.piecesOf(written) : [];
  if (pieces === undefined) throw new PlatformError(`${path} could not be read as it was`, { hint: "commit again" });
  const value = { path, mode, size: BigInt(size), mtimeUs: BigInt(mtime), target, kind: kinds[kind] };
  return create(wire.VolumeEntrySchema, { ...value, pieces: pieces.map((piece) => ({ ...piece })) });
}
