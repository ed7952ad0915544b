/** What the stories share: where their apps lie, and folders in which tests and functions leave signs for each other. */
import { watch } from "node:fs";
import { mkdtempDisposable, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { within } from "@lydian/testkit";

/** `app("values.py::types")` */
export function app(name: string): string {
  return join(import.meta.dirname, "apps", name);
}

/** A folder that functions can write into, too: they run on this machine, as this user. */
export class Scratch implements AsyncDisposable {
  readonly path: string;
  readonly #folder: AsyncDisposable;

  private constructor(folder: AsyncDisposable & { path: string }) {
    this.#folder = folder;
    this.path = folder.path;
  }

  static async make(): Promise<Scratch> {
    return new Scratch(await mkdtempDisposable(join(tmpdir(), "lydian-story-")));
  }

  /** Leaves a sign. */
  async put(name: string, text = ""): Promise<void> {
    await writeFile(join(this.path, name), text);
  }

  async names(): Promise<string[]> {
    return (await readdir(this.path)).sort();
  }

  /** Waits until files whose names begin so have appeared, this many of them at least; answers their names. */
  async sees(prefix: string, count = 1, withinMs = 30_000): Promise<string[]> {
    const changed = Promise.withResolvers<void>();
    let wake = changed.resolve;
    using watcher = Object.assign(
      watch(this.path, () => wake()),
      {
        [Symbol.dispose](this: { close(): void }) {
          this.close();
        },
      },
    );
    void watcher;
    let names: string[] = [];
    const wait = async (): Promise<string[]> => {
      for (let next = changed; ;) {
        names = (await this.names()).filter((name) => name.startsWith(prefix));
        if (names.length >= count) return names;
        await next.promise;
        next = Promise.withResolvers();
        wake = next.resolve;
      }
    };
    return await within(
      withinMs,
      wait(),
      () => `${count} files ${prefix}* were expected, and there are: ${names.join(", ")}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}
