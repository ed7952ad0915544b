/** Tells when files change, as editors write them: by renaming another file over one, or piece by piece. */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";

/** What is written together is one change. */
const togetherMs = 50;

export class FileWatch implements Disposable {
  readonly #watchers: FSWatcher[];
  readonly #changed = Promise.withResolvers<string>();
  #timer: NodeJS.Timeout | undefined;

  /** `files`: absolute paths. */
  constructor(files: readonly string[]) {
    const folders = Map.groupBy(files, dirname);
    this.#watchers = [...folders].map(([folder, within]) => {
      const names = new Set(within.map((file) => basename(file)));
      return watch(folder, (_event, name) => {
        if (name === null || names.has(name)) this.#touch(name ?? folder);
      });
    });
  }

  /** Resolves with the name of a file once one has changed and a moment has passed. */
  get changed(): Promise<string> {
    return this.#changed.promise;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
  }

  #touch(name: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#changed.resolve(name), togetherMs);
  }
}
