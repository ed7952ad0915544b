/** Which images and layers of a worker go: a decision over values. */

/** An image that is written down here. */
export interface ImageUse {
  /** An image's id, or the whole name of a base image. */
  readonly name: string;
  readonly layers: readonly string[];
  /** Milliseconds since the epoch. */
  readonly usedAt: number;
  /** It goes only when it is named. */
  readonly isNeeded: boolean;
}

export interface LayerUse {
  readonly id: string;
  /** On the disk. */
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly usedAt: number;
  /** By anybody else than the images of the list: it stays. */
  readonly isHeld: boolean;
}

export interface Inventory<Image extends ImageUse = ImageUse> {
  readonly images: readonly Image[];
  readonly layers: readonly LayerUse[];
}

/** Each of these lets something go; what is needed goes only when it is named. */
export interface Wish {
  /** What was used last before this, in milliseconds since the epoch. */
  readonly usedBefore: number;
  /** The oldest, until all layers together take no more. */
  readonly mostBytes: number;
  /** The oldest, until so much is freed. */
  readonly freeBytes: number;
  readonly named: ReadonlySet<string>;
}

/** Nothing, to be said otherwise in parts. */
export const modestWish: Wish = {
  usedBefore: Number.NEGATIVE_INFINITY,
  mostBytes: Number.POSITIVE_INFINITY,
  freeBytes: 0,
  named: new Set(),
};

export interface Selection<Image extends ImageUse = ImageUse> {
  readonly images: readonly Image[];
  readonly layers: readonly LayerUse[];
  /** What these layers take. */
  readonly bytes: number;
}

/**
 * Images go in the order of their last use, and with each the layers that nothing else needs; among them, by their own last
 * use, go layers of no image, which are kept only for builds to go on from.
 */
export function whatGoes<Image extends ImageUse>({ images, layers }: Inventory<Image>, wish: Wish): Selection<Image> {
  const byId = new Map(layers.map((layer) => [layer.id, layer]));
  const references = new Map<string, number>();
  for (const id of images.flatMap((image) => image.layers)) references.set(id, (references.get(id) ?? 0) + 1);
  const isFree = ({ id, isHeld }: LayerUse): boolean => !isHeld && (references.get(id) ?? 0) === 0;

  const going = { images: [] as Image[], layers: [] as LayerUse[], bytes: 0 };
  const all = layers.reduce((sum, { bytes }) => sum + bytes, 0);
  const isDue = ({ usedAt }: { usedAt: number }): boolean =>
    usedAt < wish.usedBefore || all - going.bytes > wish.mostBytes || going.bytes < wish.freeBytes;
  const remove = (layer: LayerUse): void => {
    going.layers.push(layer);
    going.bytes += layer.bytes;
  };
  const forget = (image: Image): void => {
    going.images.push(image);
    for (const id of image.layers) {
      references.set(id, (references.get(id) ?? 0) - 1);
      const layer = byId.get(id);
      if (layer !== undefined && isFree(layer)) remove(layer);
    }
  };

  const isNamed = ({ name }: Image): boolean => wish.named.has(name);
  const candidates = [
    ...images.filter((image) => !image.isNeeded && !isNamed(image)).map((image) => ({ image, usedAt: image.usedAt })),
    ...layers.filter(isFree).map((layer) => ({ layer, usedAt: layer.usedAt })),
  ];
  for (const image of images.filter(isNamed)) forget(image);
  for (const candidate of candidates.toSorted((a, b) => a.usedAt - b.usedAt)) {
    if (!isDue(candidate)) continue;
    if ("image" in candidate) forget(candidate.image);
    else remove(candidate.layer);
  }
  return going;
}
