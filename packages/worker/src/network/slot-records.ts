/**
 * Which slot was taken for which container, as files in the pool's folder, for a worker that comes after kill -9. Not
 * synced: after a power cut there are no namespaces of which anything need be known.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";

import { currentBoot } from "../boot.ts";
import type { NetworkPrefix } from "./address-plan.ts";
import type { Restriction } from "./firewall-rules.ts";

export interface SlotRecord {
  readonly index: number;
  readonly network: NetworkPrefix;
  readonly userns: boolean;
  readonly containerId: string;
  readonly restriction?: Restriction | undefined;
  /** /proc/sys/kernel/random/boot_id */
  readonly boot: string;
}

export class SlotRecords {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async write(record: SlotRecord): Promise<void> {
    const file = this.#file(record.index);
    await writeFile(`${file}.tmp`, JSON.stringify(record), { mode: 0o600 });
    await rename(`${file}.tmp`, file);
  }

  async remove(index: number): Promise<void> {
    await rm(this.#file(index), { force: true });
  }

  /** Of this run of the host; what is of an earlier one, or half written, is deleted. */
  async list(): Promise<SlotRecord[]> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const records: SlotRecord[] = [];
    for (const name of await readdir(this.#folder)) {
      const record = name.endsWith(".json") ? await this.#read(name) : undefined;
      if (record?.boot === currentBoot) records.push(record);
      else await rm(join(this.#folder, name), { force: true });
    }
    return records;
  }

  async #read(name: string): Promise<SlotRecord | undefined> {
    try {
      return JSON.parse(await readFile(join(this.#folder, name), "utf8")) as SlotRecord;
    } catch (error) {
      if (error instanceof SyntaxError || hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  #file(index: number): string {
    return join(this.#folder, `${index}.json`);
  }
}
