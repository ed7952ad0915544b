/** Images: the clients' default one is there at once, per Python minor; all others are refused for now. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { GenericResult_GenericStatus, type ImageMetadataSchema, type ModalClient } from "@lydian/contract";

import type { Image } from "../domain/stored.ts";
import { fail } from "../errors.ts";
import { builderVersion, defaultImagePython, withoutExtras } from "../images/default-image.ts";
import { type Rpcs, user, userOrContainer } from "./adapter-access.ts";
import { type Platform, contextOf } from "./platform.ts";

const success = { status: GenericResult_GenericStatus.SUCCESS };

export function imageRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store } = platform;
  const find = async (id: string): Promise<Image> => {
    const image = await store.read((tx) => tx.images.get(id));
    if (image === undefined) throw fail("notFound", `Image ${id} does not exist.`);
    return image;
  };
  return {
    imageGetOrCreate: user(async ({ image: wanted }) => {
      if (wanted === undefined) throw fail("invalidArgument", "The request describes no image.");
      const python = defaultImagePython(wanted);
      if (python === undefined) {
        throw fail("failedPrecondition", "This version of Lydian has only the default image.", {
          hint: "Use modal.Image.debian_slim() without further steps; add_local_python_source works, too",
        });
      }
      const key = `default ${builderVersion} ${python}`;
      const image = await store.write(async (tx) => {
        const known = await tx.images.byKey(key);
        if (known !== undefined) return known;
        const made: Image = { id: contextOf(platform).newId("im"), key, python, builderVersion };
        await tx.images.put(made);
        return made;
      });
      return { imageId: image.id, result: success, metadata: metadataOf(image) };
    }),
    imageJoinStreaming: user(async function* ({ imageId }) {
      const image = await find(imageId);
      yield {
        taskLogs: [{ data: withoutExtras }],
        entryId: "1",
        result: success,
        metadata: metadataOf(image),
        eof: true,
      };
    }),
    imageFromId: userOrContainer(async ({ imageId }) => {
      const image = await find(imageId);
      return { imageId: image.id, metadata: metadataOf(image) };
    }),
  };
}

function metadataOf(image: Image): MessageInitShape<typeof ImageMetadataSchema> {
  return { pythonVersionInfo: `Python ${image.python}`, imageBuilderVersion: image.builderVersion };
}
