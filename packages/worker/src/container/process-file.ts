/**
 * What a container's main process was started with, beside its root: commands that are run in it later have the same
 * surroundings. Secrets are in it, as in config.json: like that it is root's alone, and in memory, not on the disk.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { textOf } from "@lydian/kit";

import type { ProcessSpec } from "../runtime/runtime.ts";
import type { ContainerRoot } from "../volumes/volume-mount.ts";

type Beside = Pick<ContainerRoot, "beside">;

const fileIn = ({ beside }: Beside): string => join(beside, "process.json");

export async function writeProcess(root: Beside, process: ProcessSpec): Promise<void> {
  await mkdir(root.beside, { recursive: true, mode: 0o700 });
  await writeFile(fileIn(root), JSON.stringify(process), { mode: 0o600 });
}

/** Undefined where a worker from before commands has started it. */
export async function readProcess(root: Beside): Promise<ProcessSpec | undefined> {
  const text = await textOf(fileIn(root));
  return text === undefined ? undefined : (JSON.parse(text) as ProcessSpec);
}
