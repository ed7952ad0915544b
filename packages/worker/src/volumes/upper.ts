/** An upper, which a container has written: what of it is not published yet, and the record of what is. */
import { type Change, nothing } from "./change.ts";
import { deltaOf, plain, type Published, publishedAs, publishedBy } from "./delta.ts";
import { type Difference, shownPath, type WrittenPath } from "./difference.ts";
import { shownAt, type Stack } from "./stack.ts";
import type { UpperReader } from "./upper-reader.ts";
import type { VolumeServer } from "./volume-server.ts";
import { readPublished, writePublished } from "./volume-record.ts";

export interface UpperDeps {
  readonly server: VolumeServer;
  readonly reader: UpperReader;
}

export interface UpperPlace {
  readonly volumeId: string;
  /** Has `u`, the upper, in it, and the record of what was published. */
  readonly folder: string;
  /** What it lies on. */
  readonly stack: Stack;
  /** Nobody writes to it any more. */
  readonly isFixed: boolean;
}

/** Published as it is, once and for all. */
const all = "all";

export class Upper {
  readonly #deps: UpperDeps;
  readonly #place: UpperPlace;
  /** Undefined until it is read. */
  #published: Published | typeof all | undefined;
  #found: number | undefined;

  constructor(deps: UpperDeps, place: UpperPlace) {
    this.#deps = deps;
    this.#place = place;
  }

  /** The commit that a worker before has made of it, and did not know of. */
  get found(): number | undefined {
    return this.#found;
  }

  /** Whether something of it is published. */
  async isKnown(): Promise<boolean> {
    const known = await this.#known();
    return known === all || known.size > 0;
  }

  /** Has `u` in it. */
  get folder(): string {
    return this.#place.folder;
  }

  get isFixed(): boolean {
    return this.#place.isFixed;
  }

  read(): Promise<Difference> {
    const { folder, stack } = this.#place;
    return this.#deps.reader.read({ upper: `${folder}/u`, stack });
  }

  /** What a commit has to do for what is not published of a difference. */
  async changeOf(difference: Difference): Promise<Change> {
    const published = await this.#known();
    if (published === all) return nothing;
    const { removed, written, restored } = deltaOf(difference, published);
    const { tooLong } = difference;
    const change = { removed: [...removed], written: new Map<string, WrittenPath>(), tooLong };
    for (const path of restored) {
      // What was published and is no more is what the stack shows instead, or nothing.
      const shown = shownAt(this.#place.stack, plain(path));
      const found = shown && shownPath(shown);
      if (found === undefined) change.removed.push(path);
      else change.written.set(plain(path), found);
    }
    for (const [path, each] of written) change.written.set(path, each);
    return change;
  }

  /** A difference in which these files are as they were published, or not there where they were not. */
  async without(difference: Difference, files: ReadonlySet<WrittenPath>): Promise<Difference> {
    const known = await this.#known();
    const written = new Map(difference.written);
    for (const [path, each] of difference.written) {
      if (!files.has(each)) continue;
      const signature = known === all ? undefined : known.get(path);
      if (signature === undefined) written.delete(path);
      else written.set(path, { ...each, signature });
    }
    return { ...difference, written };
  }

  /** What is known to be published under a path, or else what is below; as those of a difference that are removed. */
  before(path: string): string | undefined {
    const signature = this.#published === all ? undefined : this.#published?.get(path);
    if (signature !== undefined) return publishedAs(path, signature);
    const shown = shownAt(this.#place.stack, path);
    return shown && (shown.kind === "folder" ? `${path}/` : path);
  }

  /** Before a commit of all that a difference has. */
  async publishing(difference: Difference, key: string): Promise<void> {
    const known = await this.#known();
    if (known === all) return;
    const pending = { key, ...(!this.isFixed && { published: [...publishedBy(difference)] }) };
    await writePublished(this.#place.folder, { published: [...known], pending });
  }

  /** After it. */
  async publishedAll(difference: Difference): Promise<void> {
    this.#published = this.isFixed ? all : publishedBy(difference);
    if (this.#published !== all) await writePublished(this.#place.folder, { published: [...this.#published] });
  }

  /** A worker before may have died between a commit and the record of it. */
  async #known(): Promise<Published | typeof all> {
    if (this.#published !== undefined) return this.#published;
    const { published, pending } = await readPublished(this.#place.folder);
    const { volumeId } = this.#place;
    this.#found = pending && (await this.#deps.server.commitOf(volumeId, pending.key));
    if (this.#found === undefined) this.#published = new Map(published);
    else this.#published = pending?.published === undefined ? all : new Map(pending.published);
    return this.#published;
  }
}
