/** What the server asks of the collector, and the answer, in the words of the session. */
import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import { messageOf } from "@lydian/kit";

import type { ImageCollector, Known } from "./collector.ts";
import { modestWish } from "./what-goes.ts";

/** Never rejects: what goes wrong is in the answer. */
export async function answerCollect(collector: ImageCollector, asked: wire.Collect): Promise<wire.Collected> {
  const { collectionId } = asked;
  try {
    const { images, bases, layers, bytes, content, leftBytes } = await collector.collect({
      usedBefore: Number(asked.usedBeforeMs) || modestWish.usedBefore,
      mostBytes: Number(asked.mostBytes) || modestWish.mostBytes,
      freeBytes: Number(asked.freeBytes),
      named: new Set(asked.named),
      known: new Map(asked.images.map((image) => [image.imageId, knownOf(image)])),
      isDry: asked.dryRun,
    });
    return create(wire.CollectedSchema, {
      collectionId,
      imageIds: [...images],
      bases: [...bases],
      layers: layers.length,
      bytes: BigInt(bytes),
      leftBytes: BigInt(leftBytes),
      files: content.files,
      fileBytes: BigInt(content.bytes),
    });
  } catch (error) {
    return create(wire.CollectedSchema, { collectionId, error: messageOf(error) });
  }
}

function knownOf({ usedAtMs, needed }: wire.ImageUse): Known {
  return { usedAt: Number(usedAtMs), isNeeded: needed };
}
