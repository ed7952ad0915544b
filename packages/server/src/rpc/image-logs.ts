/** Where the logs of images that were made are, for clients that fetch them afterwards. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ImageBuildStepSchema, ModalClient } from "@lydian/contract";

import { type Image, isUnderWay } from "../domain/image.ts";
import { ancestorsOf } from "../images/ancestors.ts";
import { parseCursor } from "../logs/cursor.ts";
import { type Rpcs, user } from "./adapter-access.ts";
import { findImage } from "./images.ts";
import type { Platform } from "./platform.ts";

/** A worker's clock may be ahead by so much, in milliseconds. */
const skewMs = 60_000;

export function imageLogRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store } = platform;
  return {
    imageBuildChainGet: user(async ({ imageId }) => {
      const chain = await store.read(async (tx) => {
        const image = await findImage(tx, imageId);
        return [...(await ancestorsOf(tx, image)), image];
      });
      return { buildSteps: await Promise.all(chain.map((image) => stepOf(platform, image))) };
    }),
  };
}

/** The present try to make it, or the last one. */
async function stepOf(
  { logBook, clock }: Platform,
  { id, state, since, logFrom }: Image,
): Promise<MessageInitShape<typeof ImageBuildStepSchema>> {
  const [first] = (await logBook.read(id, parseCursor(logFrom), 1)).lines;
  const finishedAt = (isUnderWay(state) ? clock.now() : since) + skewMs;
  return {
    imageId: id,
    startedAt: timestampFromMs(first?.time ?? since),
    finishedAt: timestampFromMs(finishedAt),
    builderAppId: id,
  };
}
