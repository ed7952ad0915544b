/**
 * Who holds a layer: one file for each holder in the layer's `holders`, which says how long that lasts.
 *
 * The count of a layer's references is the number of these files, so that no crash can leave a wrong one: a hold that
 * outlived what it was for is found by what it says and taken away. Whether a layer may go is decided by the kernel, which
 * removes `holders` only when it is empty; nobody has to read all records of a host, or to keep others from writing them.
 */
import { createHash } from "node:crypto";
import { link, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { type Clock, hasCode, PlatformError, temporaryBeside } from "@lydian/kit";

import { currentBoot } from "../boot.ts";
import { isRunning, ownIdentity } from "../runtime/process/process-identity.ts";

/** How long a hold lasts, unless it is released. */
export type HoldTerm =
  /** Up to the host's next boot: a container outlives the process that starts it. */
  | "boot"
  /** As long as this process lives: a build, a pull. */
  | "process"
  /** As long as this file, whatever else it is, has the layer's id in quotes. It is written before the hold. */
  | { readonly record: string };

/** Nobody takes so long between writing and linking. */
const linkMs = 60_000;

export class LayerHolders {
  readonly #folderOf: (layerId: string) => string;
  readonly #temporaries: string;
  readonly #clock: Clock;

  /** `folderOf` a layer is where its holders are; `temporaries` is a folder on the same disk. */
  constructor(folderOf: (layerId: string) => string, temporaries: string, clock: Clock) {
    this.#folderOf = folderOf;
    this.#temporaries = temporaries;
    this.#clock = clock;
  }

  /** All or none; false when one of the layers is gone. Layers that the holder had before stay held in any case. */
  async add(holder: string, layerIds: readonly string[], term: HoldTerm): Promise<boolean> {
    plainName(holder);
    // Linked, so that a holder's file is never seen without what it says.
    const said = temporaryBeside(join(this.#temporaries, "hold"));
    await writeFile(said, textOf(term), { mode: 0o600 });
    const held: string[] = [];
    try {
      for (const id of layerIds) {
        try {
          await link(said, join(this.#folderOf(id), holder));
          held.push(id);
        } catch (error) {
          if (hasCode(error, "EEXIST")) continue; // it held this one before
          await this.release(holder, held);
          if (!hasCode(error, "ENOENT")) throw error;
          return false;
        }
      }
      return true;
    } finally {
      await rm(said, { force: true });
    }
  }

  /** Twice does no harm. */
  async release(holder: string, layerIds: readonly string[]): Promise<void> {
    plainName(holder);
    for (const id of layerIds) await rm(join(this.#folderOf(id), holder), { force: true });
  }

  /** Undefined when the layer is gone, or being removed. */
  async of(layerId: string): Promise<readonly string[] | undefined> {
    return await unlessGone(readdir(this.#folderOf(layerId)));
  }

  /** The files that name it. */
  async recordsOf(layerId: string): Promise<readonly string[]> {
    const texts = ((await this.of(layerId)) ?? []).map((name) =>
      unlessGone(readFile(join(this.#folderOf(layerId), name), "utf8")),
    );
    return (await Promise.all(texts)).map((text = "") => recordIn(text)).filter((record) => record !== undefined);
  }

  /** When somebody last began or ceased to hold it, which the folder's own time says; undefined when it is gone. */
  async changedAt(layerId: string): Promise<number | undefined> {
    return (await unlessGone(stat(this.#folderOf(layerId))))?.mtimeMs;
  }

  /** Removes what a killed process was about to link. */
  async tidy(): Promise<void> {
    for (const name of await readdir(this.#temporaries)) {
      const file = join(this.#temporaries, name);
      const writtenAt = (await unlessGone(stat(file)))?.mtimeMs ?? Number.POSITIVE_INFINITY;
      if (writtenAt < this.#clock.now() - linkMs) await rm(file, { force: true });
    }
  }

  /** Takes away the holds of these layers whose term is over. */
  async releaseLost(layerIds: readonly string[]): Promise<void> {
    const records = new Map<string, Promise<string | undefined>>(); // each names many layers
    const read = (file: string): Promise<string | undefined> => {
      const known = records.get(file) ?? readIfThere(file);
      records.set(file, known);
      return known;
    };
    for (const id of layerIds) {
      for (const name of (await this.of(id)) ?? []) {
        const file = join(this.#folderOf(id), name);
        const text = await unlessGone(readFile(file, "utf8"));
        if (text === undefined || (await isGood(text, id, read))) continue;
        // A record may have been written anew since it was read, and the hold after that.
        if (!(await isGood(text, id, readIfThere))) await rm(file, { force: true });
      }
    }
  }
}

/** The holder's name of a record: no two files have the same. */
export function recordHolder(file: string): string {
  return `record-${createHash("sha256").update(file).digest("hex").slice(0, 16)}`;
}

function textOf(term: HoldTerm): string {
  switch (term) {
    case "boot":
      return currentBoot;
    case "process": {
      const { boot, pid, startTicks } = ownIdentity();
      return `process ${boot} ${pid} ${startTicks}`;
    }
    default:
      return `record ${term.record}`;
  }
}

function recordIn(text: string): string | undefined {
  return /^record (.+)$/s.exec(text)?.[1];
}

async function isGood(
  text: string,
  layerId: string,
  read: (record: string) => Promise<string | undefined>,
): Promise<boolean> {
  const record = recordIn(text);
  if (record !== undefined) return (await read(record))?.includes(JSON.stringify(layerId)) ?? false;
  const [, boot = "", pid, startTicks] = /^process (\S+) (\d+) (\d+)$/.exec(text) ?? [];
  if (boot !== "") return isRunning({ boot, pid: Number(pid), startTicks: Number(startTicks) });
  return text === currentBoot;
}

function readIfThere(file: string): Promise<string | undefined> {
  return unlessGone(readFile(file, "utf8"));
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** An id or a holder's name, which becomes the name of a file. */
export function plainName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) return name;
  throw new PlatformError(`${JSON.stringify(name)} cannot be the name of a layer or of its holder`);
}
