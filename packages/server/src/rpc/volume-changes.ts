/** Changes of volumes from outside, in both families of RPCs. Each is a commit. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import type { ModalClient } from "@lydian/contract";

import type { Entry, Volume } from "../domain/volume.ts";
import type { InUnit } from "../volumes/changes.ts";
import type { Change } from "../volumes/commit.ts";
import { checkFree, checkKinds, copies, removal } from "../volumes/files.ts";
import { knownVolume } from "../volumes/known.ts";
import { filePath } from "../volumes/paths.ts";
import { type PieceLinks, pieceLinkLifeMs } from "../volumes/piece-links.ts";
import { blockFiles, wholeFiles } from "../volumes/uploads.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import { baseFor } from "./base-url.ts";
import { once, type Platform, wasAnswered } from "./platform.ts";

/** What a change writes and takes away, of the volume as it is. */
type Find = (volume: Volume, inUnit: InUnit) => Promise<Partial<Pick<Change, "written" | "removed">>>;

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
    change(platform, call, volumeId, async (volume, inUnit) => ({
      removed: await removal(inUnit, volume, path, recursive),
    }));
  const copy = ({ volumeId, srcPaths: sources, dstPath: target, recursive }: CopyFilesRequest, call: Call) =>
    change(platform, call, volumeId, async (volume, inUnit) => {
      const written = await copies(inUnit, volume, { sources, target, recursive }, clock.now());
      await checkKinds(inUnit, volume, written);
      return { written };
    });
  const put = (volumeId: string, written: readonly Entry[], isNew: boolean, call: Call) =>
    change(platform, call, volumeId, async (volume, inUnit) => {
      if (isNew) await inUnit((tx) => checkFree(tx, volume, written));
      await checkKinds(inUnit, volume, written);
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
      const volume = await store.read((tx) => knownVolume(tx, volumeId));
      const written = given.map(({ path }) => ({ path: filePath(path), kind: "file" as const }));
      if (isNew) await store.read((tx) => checkFree(tx, volume, written));
      await checkKinds((work) => store.read(work), volume, written);
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
  const { workspace } = platform.config;
  const madeBy = call.caller.kind === "container" ? call.caller.id : workspace;
  return await platform.volumeChanges.make({
    ...{ volumeId, signal: call.signal, isKnown: (tx) => wasAnswered(tx, call) },
    find: async (volume, inUnit) => ({
      ...{ written: [], removed: [], key: undefined, madeBy },
      ...(await find(volume, inUnit)),
    }),
    finish: (unit) =>
      once(platform, call, EmptySchema, async (tx) => {
        await unit(tx);
        return {};
      }),
  });
}
