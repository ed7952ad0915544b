/** The store's port of images: the images themselves, and the names that stand for them. */
import type { Image } from "./image.ts";
import type { ImageUse } from "./image-use.ts";
import type { ImageName, ImageRevision } from "./stored.ts";

export interface Images {
  /** Inserts or replaces. Another fence than before: its log is told from its beginning again. */
  put(image: Image): Promise<void>;
  get(id: string): Promise<Image | undefined>;
  /** The one with this key that was built last; the newest when none was ever built. */
  byKey(key: string): Promise<Image | undefined>;
  /** Those that are wanted or being built, in order of their turn. */
  underWay(): Promise<Image[]>;
  /** They were asked for now, to the minute. */
  setUsed(ids: readonly string[], now: number): Promise<void>;
  /** Of all images. */
  uses(): Promise<ImageUse[]>;
  /** Only the image itself. */
  remove(id: string): Promise<void>;
  /** Answers the revision's number. */
  publish(publication: Publication): Promise<number>;
  /** What a name stands for. */
  named(environmentId: string, name: string): Promise<ImageName | undefined>;
  /** By name. */
  names(environmentId: string, filter: NameFilter, limit: number): Promise<ImageName[]>;
  /** Those before this number, the newest first. */
  revisions(environmentId: string, name: string, before: number, limit: number): Promise<ImageRevision[]>;
  /** Forgets a name with all of its revisions; answers how many there were. */
  unpublish(environmentId: string, name: string): Promise<number>;
}

export interface Publication extends Omit<ImageRevision, "number"> {
  environmentId: string;
  name: string;
}

/** Those after this name that begin with the prefix; those that stand for this image, unless it is empty. */
export interface NameFilter {
  prefix: string;
  after: string;
  imageId: string;
}
