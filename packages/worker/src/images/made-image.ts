/** An image as builds and containers take it. */
import type { Layer } from "../layers/index.ts";
import type { ImageConfig } from "./image-config.ts";
import { shortDigest } from "./layer-id.ts";
import type { FileMark } from "./stack-records.ts";

export interface BaseImage {
  /** Topmost first. */
  readonly layers: readonly Layer[];
  readonly config: ImageConfig;
  /**
   * What it is, for keys of builds: of a pulled image the digest of the platform's manifest; of one made here a word that
   * is the same as long as its layers are.
   */
  readonly digest: string;
}

export interface MadeImage extends BaseImage {
  /** The file of the host that it was made from, by whose change it becomes stale. */
  readonly madeFrom: FileMark | undefined;
  /** Its registry gave it to who logged in. Absent: to everybody, as far as is known. */
  readonly isPrivate?: boolean;
}

export function madeHere(layers: readonly Layer[], config: ImageConfig, madeFrom?: FileMark): MadeImage {
  return { layers, config, digest: `host:${shortDigest(layers.map(({ id }) => id))}`, madeFrom };
}
