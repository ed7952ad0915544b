/**
 * Deletes what containers leave on the data disk, beside everything else. A container may have made millions of files, or
 * folders deeper than a path may be long, which `rm` can delete and the runtime's own calls cannot.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";

import { type Clock, hasCode, type Logger, namesIn, temporaryBeside, type Timer } from "@lydian/kit";

/** Deleting begins when whoever ends now has ended: it takes a process, and starting that holds up the worker for 5 ms. */
const restMs = 250;

export class Trash {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** What `rm` could not delete; the next worker tries again. */
  readonly #left = new Set<string>();
  #emptying: Promise<void> = Promise.resolve();
  #rest: Timer | undefined;

  /** The folder lies on the disk of what is thrown away. */
  constructor(folder: string, clock: Clock, logger: Logger) {
    this.#folder = folder;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Takes a folder out of sight at once; nothing happens when it is not there. Nobody may have anything mounted in it. */
  async throwAway(folder: string): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await rename(folder, temporaryBeside(join(this.#folder, "root")));
    } catch (error) {
      if (hasCode(error, "ENOENT")) return;
      throw error;
    }
    this.#rest ??= this.#clock.timer(restMs, () => void this.empty());
    this.#rest.unref();
  }

  /** Resolves when all that was thrown away is deleted, also by a worker before, as far as it can be. */
  empty(): Promise<void> {
    this.#rest?.[Symbol.dispose]();
    this.#rest = undefined;
    const look = (): Promise<void> =>
      this.#empty().catch((error: unknown) => {
        this.#logger.warn({ err: error }, "what containers left could not be deleted");
      });
    this.#emptying = this.#emptying.then(look); // one look after the last thing that was thrown away
    return this.#emptying;
  }

  async #empty(): Promise<void> {
    for (let names = await this.#names(); names.length > 0; names = await this.#names()) {
      const paths = names.map((name) => join(this.#folder, name));
      const rm = spawn("rm", ["-rf", "--one-file-system", "--", ...paths], { stdio: ["ignore", "ignore", "pipe"] });
      let errors = "";
      rm.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-1000)));
      const [code, signal] = (await once(rm, "close")) as [number | null, string | null];
      if (code === 0) continue;
      for (const name of names) this.#left.add(name);
      this.#logger.warn({ code, signal, errors }, "what containers left could not be deleted");
    }
  }

  async #names(): Promise<string[]> {
    return (await namesIn(this.#folder)).filter((name) => !this.#left.has(name)).slice(0, 100);
  }
}
