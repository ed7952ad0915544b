/** Names of images: published, found, listed, forgotten. */
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { ImagePublishResponseSchema, type ModalClient } from "@lydian/contract";

import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";
import { findNamed, publishImage, readReference } from "../images/names.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import { type Platform, once, toSeconds } from "./platform.ts";

/** Of a list, when the client does not say how long it is to be, and the most that it gets. */
const usualPage = 100;
const longestPage = 1000;

const revisionId = (number: number): string => `rv-${number}`;

export function imageNameRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, config } = platform;
  return {
    imagePublish: userOrContainer(({ imageId, tag, environmentName, allowPublic }, call) =>
      once(platform, call, ImagePublishResponseSchema, async (tx, { now }) => {
        if (allowPublic) throw fail("unimplemented", "Images are not shared with other workspaces: there is only one.");
        const reference = await readReference(tx, tag, environmentName);
        const number = await publishImage(tx, reference, imageId, { createdBy: config.workspace, now });
        return { imageId, revisionId: revisionId(number) };
      }),
    ),
    imageGetByTag: userOrContainer(({ tag, environmentName }) =>
      store.read(async (tx) => {
        const { imageId } = await findNamed(tx, await readReference(tx, tag, environmentName));
        return { imageId };
      }),
    ),
    imageNameDelete: userOrContainer(({ tag }, call) =>
      once(platform, call, EmptySchema, async (tx) => {
        const reference = await readReference(tx, tag, "");
        await findNamed(tx, reference);
        await tx.images.unpublish(reference.environment.id, reference.name);
        return {};
      }),
    ),
    imageListTags: userOrContainer(({ environmentName, tagPrefix: prefix, maxObjects, pageToken: after, imageId }) =>
      store.read(async (tx) => {
        const environment = await findEnvironment(tx, environmentName);
        const limit = pageSize(maxObjects);
        const found = await tx.images.names(environment.id, { prefix, after, imageId }, limit + 1);
        const items = found.slice(0, limit).map((item) => ({
          tag: item.name,
          imageId: item.imageId,
          revisionId: revisionId(item.number),
          createdAt: toSeconds(item.createdAt),
          updatedAt: toSeconds(item.updatedAt),
          lastPublishedBy: item.updatedBy,
        }));
        const nextPageToken = found.length > limit ? (items.at(-1)?.tag ?? "") : "";
        return { items, nextPageToken, environmentName: environment.name };
      }),
    ),
    imageTagRevisions: userOrContainer(({ tag, environmentName, maxObjects, pageToken }) =>
      store.read(async (tx) => {
        const { environment, name } = await readReference(tx, tag, environmentName);
        const limit = pageSize(maxObjects);
        const before = /^\d{1,15}$/.test(pageToken) ? Number(pageToken) : Number.MAX_SAFE_INTEGER;
        const found = await tx.images.revisions(environment.id, name, before, limit + 1);
        const shown = found.slice(0, limit);
        const items = shown.map(({ number, imageId, createdAt, createdBy }) => ({
          imageId,
          revisionId: revisionId(number),
          createdAt: toSeconds(createdAt),
          publishedBy: createdBy,
        }));
        const nextPageToken = found.length > limit ? String(shown.at(-1)?.number ?? "") : "";
        return { items, nextPageToken, tag: name, environmentName: environment.name };
      }),
    ),
  };
}

function pageSize(asked: number): number {
  return Math.min(asked || usualPage, longestPage);
}
