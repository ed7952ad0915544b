/** What an image stands on. */
import type { Image } from "../domain/image.ts";
import type { Tx } from "../domain/store.ts";

/** Each before those that stand on it, the image itself left out. */
export async function ancestorsOf(tx: Tx, image: Image): Promise<Image[]> {
  const found = new Map<string, Image>();
  const visit = async (of: Image): Promise<void> => {
    for (const id of Object.values(of.recipe.bases)) {
      if (found.has(id)) continue;
      const base = await tx.images.get(id);
      if (base === undefined) throw new Error(`image ${id}, which ${of.id} stands on, is missing`);
      await visit(base); // only what was there before can be a base: there are no circles
      found.set(id, base);
    }
  };
  await visit(image);
  return [...found.values()];
}
