/** Mounts and blobs: files by their digest, and bytes too large for a message. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { BlobCreateResponseSchema, type ModalClient, type MountFile, ObjectCreationType } from "@lydian/contract";

import type { BlobLinks } from "../content/blob-links.ts";
import { sha256FromBase64, sha256Of } from "../content/digest.ts";
import type { Blob } from "../domain/stored.ts";
import { fail } from "../errors.ts";
import { buildManifest } from "../mounts/manifest.ts";
import { type Rpcs, userOrAnyContainer, userOrContainer } from "./adapter-access.ts";
import { baseFor } from "./base-url.ts";
import { type Platform, contextOf, once } from "./platform.ts";

/** How long a link to a blob works. */
const linkLifeMs = 24 * 3_600_000;

/** The name under which every client asks for its own package; the worker provides it. */
const clientMountName = /^modal-client-mount-/;

/** A Python, or a Node with npm, for images that have none, which the worker provides, too. */
const toolMountName = /^(?:python-build-standalone\.[\w.+-]+|lydian-node)$/;

export function mountRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, content, clock, unneeded } = platform;
  return {
    mountGetOrCreate: userOrContainer(async (request) => {
      const { deploymentName } = request;
      const isLookUp = request.objectCreationType === ObjectCreationType.UNSPECIFIED;
      const name = isLookUp && toolMountName.test(deploymentName) ? deploymentName : "";
      if (isLookUp && name === "" && !clientMountName.test(deploymentName)) {
        throw fail("notFound", `There is no mount named "${deploymentName}".`);
      }
      const manifest = buildManifest(request.files.map(mountedFile));
      const missing = await content.missing(request.files.map(({ sha256Hex }) => sha256Hex));
      if (missing[0] !== undefined) {
        const file = request.files.find(({ sha256Hex }) => sha256Hex === missing[0]);
        throw fail("failedPrecondition", `The content of "${file?.filename}" was not uploaded.`);
      }
      await content.put(manifest.bytes, { expectedSha256: manifest.sha256 });
      const mount = await store.write(async (tx) => {
        const found = await tx.mounts.put({
          id: contextOf(platform).newId("mo"),
          manifestSha256: manifest.sha256,
          name,
        });
        await unneeded.wantRow(tx, found.id);
        return found;
      });
      return { mountId: mount.id, handleMetadata: { contentChecksumSha256Hex: manifest.sha256 } };
    }),
    mountBatchedCheckExistence: userOrContainer(async ({ sha256HexHashes }) => ({
      missingSha256HexHashes: await content.missing(sha256HexHashes),
      checkedAt: timestampFromMs(clock.now()),
    })),
    mountPutFile: userOrContainer(async ({ sha256Hex, dataOneof }) => {
      switch (dataOneof.case) {
        case undefined:
          return { exists: (await content.size(sha256Hex)) !== undefined };
        case "data":
          await content.put(dataOneof.value, { expectedSha256: sha256Hex });
          return { exists: true, checkedAt: timestampFromMs(clock.now()) };
        case "dataBlobId": {
          const blob = await findBlob(platform, dataOneof.value);
          if (blob.sha256 !== sha256Of(sha256Hex)) {
            throw fail("invalidArgument", `Blob ${blob.id} does not have the digest ${sha256Hex}.`);
          }
          return { exists: (await content.size(sha256Hex)) !== undefined, checkedAt: timestampFromMs(clock.now()) };
        }
      }
    }),
  };
}

export function blobRpcs(platform: Platform, links: BlobLinks): Rpcs<typeof ModalClient> {
  return {
    blobCreate: userOrAnyContainer((request, call) =>
      once(platform, call, BlobCreateResponseSchema, async (tx, context) => {
        const size = Number(request.contentLength);
        const sha256 = sha256FromBase64(request.contentSha256Base64);
        const blobId = context.newId("bl");
        await tx.blobs.put({ id: blobId, sha256, size, complete: false, createdAt: context.now });
        const base = await baseFor(platform, call);
        const upload = { blobId, sha256, size };
        const { partLength, ...urls } = links.uploadInParts(base, upload, linkLifeMs);
        const multipart = { ...urls, partLength: BigInt(partLength) };
        return {
          blobId,
          blobIds: [blobId],
          // Python takes the plural, JavaScript the singular, which it refuses in parts.
          uploadTypesOneof: { case: "multiparts" as const, value: { items: [multipart] } },
          uploadTypeOneof: { case: "uploadUrl" as const, value: links.upload(base, upload, linkLifeMs) },
        };
      }),
    ),
    blobGet: userOrAnyContainer(async ({ blobId }, call) => {
      const { id, sha256 } = await findBlob(platform, blobId);
      return {
        downloadUrl: links.download(
          await baseFor(platform, call),
          { blobId: id, sha256: sha256Of(sha256) },
          linkLifeMs,
        ),
      };
    }),
  };
}

async function findBlob({ store }: Platform, id: string): Promise<Blob> {
  const blob = await store.read((tx) => tx.blobs.get(id));
  if (blob === undefined) throw fail("notFound", `Blob ${id} does not exist.`);
  if (!blob.complete) throw fail("failedPrecondition", `Blob ${id} was not uploaded to its end.`);
  return blob;
}

function mountedFile({ filename, sha256Hex, size, mode }: MountFile): Parameters<typeof buildManifest>[0][number] {
  return { path: filename, sha256: sha256Hex, size: Number(size ?? 0), mode: mode ?? 0 };
}
