/** Images: found or made, their builds followed. Names are in image-names.ts. */
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type GenericResult,
  GenericResult_GenericStatus as Status,
  type GenericResultSchema,
  type ImageGetOrCreateRequest,
  ImageGetOrCreateResponseSchema,
  type ImageJoinStreamingRequest,
  type ImageJoinStreamingResponseSchema,
  type ImageMetadataSchema,
  type ModalClient,
} from "@lydian/contract";

import { statusOf } from "../calls/result.ts";
import type { Image } from "../domain/image.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { type FoundFunction, findBuildFunction } from "../images/build-function.ts";
import { deleteImage, type ImageCollector } from "../images/collect.ts";
import { getOrCreateImage, hasItsSecrets, isThere, keepContextFiles, readWish } from "../images/get-or-create.ts";
import { builderVersion } from "../images/recipe.ts";
import { wantImage } from "../images/transition.ts";
import { formatCursor, parseCursor } from "../logs/cursor.ts";
import { type Rpcs, user, userOrContainer } from "./adapter-access.ts";
import { followLog, itemOf } from "./logs.ts";
import { type Platform, contextOf, once } from "./platform.ts";

export function imageRpcs(platform: Platform, collector: Pick<ImageCollector, "leave">): Rpcs<typeof ModalClient> {
  const { store, content, sessions, interest } = platform;
  return {
    imageGetOrCreate: user(async (request, call) => {
      const { image: asked, forceBuild, ignoreCache } = request;
      if (asked === undefined) throw fail("invalidArgument", "The request describes no image.");
      const asking = {
        contextFiles: await keepContextFiles(content, asked),
        builderVersion: request.builderVersion || builderVersion,
        called: await calledIn(platform, request),
      };
      const reuse = ignoreCache ? "apart" : forceBuild ? "anew" : "all";
      const workers = sessions.workers();
      if (reuse === "all") {
        const there = await store.read(async (tx) => {
          const wish = await readWish(tx, asked, asking);
          const found = await tx.images.byKey(wish.key);
          return found !== undefined && isThere(found, workers) && hasItsSecrets(found, wish) ? found : undefined;
        });
        if (there !== undefined) {
          await noteUse(platform, there);
          return { imageId: there.id, ...endOf(there) };
        }
      }
      if (asking.called !== undefined) await content.put(asking.called.bytes);
      const reply = await once(platform, call, ImageGetOrCreateResponseSchema, async (tx, context) => {
        const wish = await readWish(tx, asked, asking);
        const image = await getOrCreateImage(tx, wish, reuse, workers, context);
        return { imageId: image.id, ...endOf(image) };
      });
      interest.expect(reply.imageId ?? "");
      return reply;
    }),
    imageJoinStreaming: user((request, call) => followBuild(platform, request, call.signal)),
    imageDelete: user(async ({ imageId }, call) => {
      await once(platform, call, EmptySchema, async (tx) => {
        await deleteImage(tx, imageId);
        return {};
      });
      await collector.leave(imageId);
      return {};
    }),
    imageFromId: userOrContainer(async ({ imageId }) => {
      const image = await store.read((tx) => findImage(tx, imageId));
      await noteUse(platform, image);
      return { imageId: image.id, metadata: metadataOf(image) };
    }),
  };
}

/** The function that is to be called instead of a Dockerfile's lines. */
async function calledIn(
  { store, newId, config }: Platform,
  { image, buildFunctionId }: ImageGetOrCreateRequest,
): Promise<FoundFunction | undefined> {
  const { buildFunction } = image ?? {};
  if (buildFunction === undefined) return undefined;
  return await store.read((tx) => findBuildFunction(tx, buildFunction, buildFunctionId, newId("ta"), config));
}

/** It is not old, nor is what it stands on. */
async function noteUse({ store, clock }: Platform, { id, recipe }: Image): Promise<void> {
  await store.note((tx) => tx.images.setUsed([id, ...Object.values(recipe.bases)], clock.now()));
}

export async function findImage(tx: Tx, id: string): Promise<Image> {
  const image = await tx.images.get(id);
  if (image === undefined) throw fail("notFound", `Image ${id} does not exist.`);
  return image;
}

/** Its log from the present try's beginning on, then how that ended. Whoever follows a build keeps it going. */
async function* followBuild(
  platform: Platform,
  request: ImageJoinStreamingRequest,
  signal: AbortSignal,
): AsyncIterable<MessageInitShape<typeof ImageJoinStreamingResponseSchema>> {
  const { store, interest } = platform;
  const { imageId, lastEntryId, timeout, includeLogsForFinished: onlyLooks } = request;
  using _held = onlyLooks ? undefined : interest.hold(imageId);
  let image = await store.read((tx) => findImage(tx, imageId));
  const isOver = async (): Promise<boolean> => {
    image = await store.read((tx) => findImage(tx, imageId));
    if (image.state !== "idle") return endOf(image).result !== undefined;
    if (onlyLooks) return true;
    // It was given up before this client came, or came back.
    await store.write((tx) => wantImage(tx, imageId, { isMissing: false }, contextOf(platform)));
    return false;
  };
  const from = parseCursor(lastEntryId || image.logFrom);
  const following = { logId: imageId, from, holdMs: timeout * 1000, isOver, signal };
  for await (const page of followLog(platform, following)) {
    if ("overAt" in page) {
      yield { result: givenUp, ...endOf(image), entryId: formatCursor(page.overAt), eof: true };
    } else {
      yield { taskLogs: page.lines.map(itemOf), entryId: formatCursor(page.next) };
    }
  }
}

/** Of one that nobody waited for. */
const givenUp: MessageInitShape<typeof GenericResultSchema> = {
  status: Status.TERMINATED,
  exception: "Nobody waited for the image any more.",
};

/** What came of it; nothing while it is under way. */
function endOf(image: Image): {
  result?: Partial<Pick<GenericResult, "status" | "exception">>;
  metadata?: MessageInitShape<typeof ImageMetadataSchema>;
} {
  if (image.state === "built") return { result: { status: Status.SUCCESS }, metadata: metadataOf(image) };
  if (image.state !== "failed" || image.failure === undefined) return {};
  const { status, message } = image.failure;
  return { result: { status: statusOf(status), exception: message } };
}

function metadataOf({ built, builderVersion: version }: Image): MessageInitShape<typeof ImageMetadataSchema> {
  return {
    imageBuilderVersion: version,
    ...(built?.python && { pythonVersionInfo: `Python ${built.python}` }),
    ...(built?.libc && { libcVersionInfo: built.libc }),
    ...(built?.workdir && { workdir: built.workdir }),
  };
}
