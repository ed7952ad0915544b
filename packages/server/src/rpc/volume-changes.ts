/** Changes of volumes from outside, in both families of RPCs. Each is a commit. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import type { ModalClient } from "@lydian/contract";

import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import type { Entry, Volume } from "../domain/volume.ts";
import { type Change, commit } from "../volumes/commit.ts";
import { checkFree, copies, removal } from "../volumes/files.ts";
import { knownVolume } from "../volumes/known.ts";
import { settled } from "../volumes/owed.ts";
import { filePath } from "../volumes/paths.ts";
import { type PieceLinks, pieceLinkLifeMs } from "../volumes/piece-links.ts";
import { blockFiles, wholeFiles } from "../volumes/uploads.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import { baseFor } from "./base-url.ts";
import { once, type Platform } from "./platform.ts";

/** What a change writes and takes away, found out in the unit of work that commits it. */
type Find = (tx: Tx, volume: Volume, context: Context) => Promise<Partial<Pick<Change, "written" | "removed">>>;

interface RemoveRequest {
  volumeId: string;
  path: string;
  recursive: boolean;
}

interface CopyFilesRequest {
  volumeId: string;
  srcPaths: readonly string[];
  dstPath: string;
  recursive: boolean;
}

export function volumeChangeRpcs(platform: Platform, links: PieceLinks): Rpcs<typeof ModalClient> {
  const { content, clock, store } = platform;
  const remove = ({ volumeId, path, recursive }: RemoveRequest, call: Call) =>
    change(platform, call, volumeId, async (tx, volume) => ({ removed: await removal(tx, volume, path, recursive) }));
  const copy = ({ volumeId, srcPaths: sources, dstPath: target, recursive }: CopyFilesRequest, call: Call) =>
    change(platform, call, volumeId, async (tx, volume, { now }) => ({
      written: await copies(tx, volume, { sources, target, recursive }, now),
    }));
  const put = (volumeId: string, written: readonly Entry[], isNew: boolean, call: Call) =>
    change(platform, call, volumeId, async (tx, volume) => {
      if (isNew) await checkFree(tx, volume, written);
      return { written };
    });
  return {
    volumeRemoveFile: userOrContainer(remove),
    volumeRemoveFile2: userOrContainer(remove),
    volumeCopyFiles: userOrContainer((request, call) => copy({ ...request, recursive: false }, call)),
    volumeCopyFiles2: userOrContainer(copy),
    volumePutFiles: userOrContainer(async ({ volumeId, files, disallowOverwriteExistingFiles: isNew }, call) => {
      const given = files.map(({ filename: path, sha256Hex: sha256, mode }) => ({ path, sha256, mode: mode ?? 0 }));
      return await put(volumeId, await wholeFiles(content, given, clock.now()), isNew, call);
    }),
    volumePutFiles2: userOrContainer(async ({ volumeId, files, disallowOverwriteExistingFiles: isNew }, call) => {
      const given = files.map(({ path, size, blocks, mode }) => ({
        path,
        size: Number(size),
        blocks: blocks.map(({ contentsSha256 }) => Buffer.from(contentsSha256).toString("hex")),
        mode: mode ?? 0,
      }));
      const { entries, missing } = await blockFiles(content, given, clock.now());
      if (missing.length === 0) {
        await put(volumeId, entries, isNew, call);
        return {};
      }
      // Refused before gigabytes are sent, where it can be known before.
      await store.read(async (tx) => {
        const volume = await knownVolume(tx, volumeId);
        const paths = given.map(({ path }) => ({ path: filePath(path) }));
        if (isNew) await checkFree(tx, volume, paths);
      });
      const base = await baseFor(platform, call);
      return {
        missingBlocks: missing.map(({ file, block, sha256 }) => ({
          fileIndex: BigInt(file),
          blockIndex: BigInt(block),
          putUrl: links.put(base, sha256, pieceLinkLifeMs),
        })),
      };
    }),
  };
}

async function change(
  platform: Platform,
  call: Call,
  volumeId: string,
  find: Find,
): Promise<MessageInitShape<typeof EmptySchema>> {
  const { workspace, limits } = platform.config;
  await settled(platform, volumeId, call);
  return await once(platform, call, EmptySchema, async (tx, context) => {
    const volume = await knownVolume(tx, volumeId);
    const found = { written: [], removed: [], ...(await find(tx, volume, context)) };
    const madeBy = call.caller.kind === "container" ? call.caller.id : workspace;
    await commit(tx, volume, { ...found, key: undefined, madeBy }, limits, context);
    return {};
  });
}
