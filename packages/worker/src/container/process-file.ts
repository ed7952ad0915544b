/**
 * What a container's main process was started with, in the container's folder: commands that are run in it later have the
 * same surroundings. Not synced, for after a power cut there is no container; and secrets are in it, as in config.json.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { textOf } from "@lydian/kit";

import type { ProcessSpec } from "../runtime/runtime.ts";
import type { ContainerPlace } from "./folder.ts";

const fileIn = ({ folder }: Pick<ContainerPlace, "folder">): string => join(folder, "process.json");

export async function writeProcess(place: Pick<ContainerPlace, "folder">, process: ProcessSpec): Promise<void> {
  await writeFile(fileIn(place), JSON.stringify(process), { mode: 0o600 });
}

/** Undefined where a worker from before commands has started it. */
export async function readProcess(place: Pick<ContainerPlace, "folder">): Promise<ProcessSpec | undefined> {
  const text = await textOf(fileIn(place));
  return text === undefined ? undefined : (JSON.parse(text) as ProcessSpec);
}
