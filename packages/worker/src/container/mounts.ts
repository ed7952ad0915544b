/** Lays the files of mounts where a runtime takes them from: copies, with the modes that they are to have. */
import { chmod, constants, copyFile, mkdir, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";

import { fromBinary } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import { hasCode, PlatformError } from "@lydian/kit";

import type { ContentCache } from "../content.ts";
import { forEachParallel } from "../parallel.ts";
import type { FilePlaces } from "../runtime/runtime.ts";

/** Where one file goes. */
export interface PlannedFile {
  hostPath: string;
  sha256: string;
  mode: number;
}

/** How many files are fetched and copied at a time. */
const parallel = 16;

/** Fetches the mounts' manifests and files and lays them out; a later mount wins over an earlier one. Answers them. */
export async function layMounts(
  mounts: readonly wire.Mount[],
  options: { content: Pick<ContentCache, "file">; places: Pick<FilePlaces, "hostPath">; signal: AbortSignal },
): Promise<readonly PlannedFile[]> {
  const { content, places, signal } = options;
  const manifests = await Promise.all(
    mounts.map(async (mount) =>
      fromBinary(wire.ManifestSchema, await readFile(await content.file(mount.manifestSha256, signal))),
    ),
  );
  const files = planFiles(manifests, (path) => places.hostPath(path));
  for (const folder of new Set(files.map((file) => dirname(file.hostPath)))) await makeFolder(folder);
  await forEachParallel(files, parallel, async (file) => {
    signal.throwIfAborted();
    await layFile(await content.file(file.sha256, signal), file);
  });
  return files;
}

/** What goes where: one entry per path. Refuses a path that is not what it seems. */
export function planFiles(
  manifests: readonly wire.Manifest[],
  hostPath: (containerPath: string) => string,
): readonly PlannedFile[] {
  const planned = new Map<string, PlannedFile>();
  for (const file of manifests.flatMap((manifest) => manifest.files)) {
    const [root, ...parts] = file.path.split("/");
    const plain = root === "" && parts.length > 0 && parts.every(isPlainName);
    if (!plain) {
      throw new PlatformError(`a mount names the path ${JSON.stringify(file.path)}, which is not absolute and plain`);
    }
    const mode = file.mode === 0 ? 0o644 : file.mode & 0o777;
    planned.set(file.path, { hostPath: hostPath(file.path), sha256: file.sha256, mode });
  }
  return [...planned.values()];
}

function isPlainName(part: string): boolean {
  return part !== "" && part !== "." && part !== ".." && !part.includes("\0");
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    if (!hasCode(error, "ENOTDIR", "EEXIST")) throw error;
    throw new PlatformError(`mounts need ${folder} as a file and as a folder`, { cause: error });
  }
}

async function layFile(source: string, file: PlannedFile): Promise<void> {
  try {
    await rm(file.hostPath, { force: true }); // what the image has there, never what a link of it leads to
    await copyFile(source, file.hostPath, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    await chmod(file.hostPath, file.mode);
  } catch (error) {
    if (!hasCode(error, "EISDIR", "EEXIST", "ERR_FS_EISDIR")) throw error;
    throw new PlatformError(`mounts need ${file.hostPath} as a file and as a folder`, { cause: error });
  }
}
