/** Publishes what a container has written to a volume since it last did, as one commit. */
import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import { PlatformError } from "@lydian/kit";

import { type Delta, deltaOf, isEmpty, plain, publishedBy } from "./delta.ts";
import { type Difference, innermostFirst, shownPath, type WrittenPath } from "./difference.ts";
import { shownAt } from "./stack.ts";
import { type PublishedRecord, readPublished, writePublished } from "./volume-record.ts";
import type { UpperReader } from "./upper-reader.ts";
import { Uploads } from "./upload.ts";
import type { VolumeServer } from "./volume-server.ts";

export interface PublisherDeps {
  readonly server: VolumeServer;
  readonly reader: UpperReader;
}

/** What is published: an upper, and what it lies on. */
export interface UpperPlace {
  readonly volumeId: string;
  /** Has `u`, the upper, in it, and the record of what was published. */
  readonly folder: string;
  /** Folders of the layers below, topmost first. */
  readonly layers: readonly string[];
}

/** Lets the container's processes stand still while it works. */
export type StandStill = <T>(work: () => Promise<T>) => Promise<T>;

export class Publisher {
  readonly #deps: PublisherDeps;
  readonly #place: UpperPlace;
  /** Of the upper; undefined until it is read. */
  #published: Map<string, string> | undefined;

  constructor(deps: PublisherDeps, place: UpperPlace) {
    this.#deps = deps;
    this.#place = place;
  }

  /**
   * Answers the number of the commit, 0 when it changed nothing on the server; undefined when there is nothing new. First all is read and uploaded while the
   * processes run; then, while they stand still, only what has changed meanwhile: so the commit is of one moment.
   */
  async publish(key: () => Promise<string>, by: string, standStill: StandStill): Promise<number | undefined> {
    const published = await this.#known();
    const uploads = new Uploads(this.#deps.server);
    const first = deltaOf(await this.#read(), published);
    if (isEmpty(first)) return undefined;
    await addFiles(uploads, first);
    const difference = await standStill(async () => {
      const last = await this.#read();
      await addFiles(uploads, deltaOf(last, published));
      return last;
    });
    const delta = deltaOf(difference, published);
    if (isEmpty(delta)) return undefined;
    const restored = this.#restored(delta);
    for (const written of restored.written.values()) await uploads.add(written);
    await uploads.finish();
    const change = {
      removed: [...delta.removed, ...restored.removed].toSorted(innermostFirst),
      written: [...restored.written, ...delta.written].map(([path, written]) => entryOf(path, written, uploads)),
    };
    return await this.#commit(change, difference, { key: await key(), by });
  }

  async #commit(
    change: { removed: string[]; written: wire.VolumeEntry[] },
    difference: Difference,
    named: { key: string; by: string },
  ): Promise<number> {
    const { volumeId, folder } = this.#place;
    const after = publishedBy(difference);
    const before = [...(await this.#known())];
    await writePublished(folder, { published: before, pending: { key: named.key, published: [...after] } });
    const number = await this.#deps.server.commit(volumeId, change, named);
    await writePublished(folder, { published: [...after] });
    this.#published = after;
    return number;
  }

  /** A worker before may have died between a commit and the record of it. */
  async #known(): Promise<Map<string, string>> {
    if (this.#published !== undefined) return this.#published;
    const record = await readPublished(this.#place.folder);
    this.#published = new Map(await this.#settled(record));
    return this.#published;
  }

  async #settled({ published, pending }: PublishedRecord): Promise<PublishedRecord["published"]> {
    if (pending === undefined) return published;
    const number = await this.#deps.server.commitOf(this.#place.volumeId, pending.key);
    return number === undefined ? published : pending.published;
  }

  #read(): Promise<Difference> {
    const { folder, layers } = this.#place;
    return this.#deps.reader.read({ upper: `${folder}/u`, layers });
  }

  /** What was published and is no more: what the layers show instead, or nothing. */
  #restored({ restored }: Delta): { removed: string[]; written: Map<string, WrittenPath> } {
    const written = new Map<string, WrittenPath>();
    const removed: string[] = [];
    for (const path of restored) {
      const shown = shownAt(this.#place.layers, plain(path));
      const found = shown && shownPath(shown);
      if (found === undefined) removed.push(path);
      else written.set(plain(path), found);
    }
    return { removed, written };
  }
}

async function addFiles(uploads: Uploads, { written }: Delta): Promise<void> {
  for (const each of written.values()) if (each.kind === "file") await uploads.add(each);
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
