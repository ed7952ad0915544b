/** Images under names: "name:tag" in an environment, each standing for what was published last. */
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import type { Environment, ImageName } from "../domain/stored.ts";
import { fail } from "../errors.ts";
import { findEnvironment } from "../identity/environments.ts";

export interface ImageReference {
  environment: Environment;
  /** With its tag. */
  name: string;
}

const part = /^[\w.-]{1,63}$/;

/** `text` is "name", "name:tag" or one of them behind "environment/". */
export async function readReference(tx: Tx, text: string, environmentName: string): Promise<ImageReference> {
  const slash = text.lastIndexOf("/");
  const environment = await findEnvironment(tx, slash < 0 ? environmentName : text.slice(0, slash));
  const [name = "", tag = "latest", ...rest] = text.slice(slash + 1).split(":");
  if (!part.test(name) || !part.test(tag) || rest.length > 0 || name.startsWith("im-")) {
    throw fail("invalidArgument", `${JSON.stringify(text)} cannot be the name of an image.`, {
      hint: "A name and its tag have letters, digits, dashes, dots and underscores, fewer than 64, and no im- in front",
    });
  }
  return { environment, name: `${name}:${tag}` };
}

/** Throws where nothing was published under the name. */
export async function findNamed(tx: Tx, { environment, name }: ImageReference): Promise<ImageName> {
  const found = await tx.images.named(environment.id, name);
  if (found !== undefined) return found;
  throw fail("notFound", `Image "${name}" does not exist in environment "${environment.name}".`, {
    hint: "Publish one under that name: `image.build(app)`, then `image.publish(…)`",
  });
}

export async function publishImage(
  tx: Tx,
  { environment, name }: ImageReference,
  imageId: string,
  { createdBy, now }: { createdBy: string; now: Context["now"] },
): Promise<number> {
  const image = await tx.images.get(imageId);
  if (image === undefined) throw fail("notFound", `Image ${imageId} does not exist.`);
  if (image.built === undefined) {
    throw fail("failedPrecondition", `Image ${imageId} is not built, so it cannot be published.`, {
      hint: "Build it first: `image.build(app)`",
    });
  }
  return await tx.images.publish({ environmentId: environment.id, name, imageId, createdAt: now, createdBy });
}
