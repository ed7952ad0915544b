/** What layers are called: by what they are made of, so that the same is made once and what is made anew is not mixed up. */
import { createHash } from "node:crypto";

/** Rises with every change to what any of the recipes leaves in a layer, so that layers of an older one are not taken. */
export const recipes = 1;

/** `name` is for people, `inputs` are all that the content depends on. */
export function layerId(name: string, inputs: readonly unknown[]): string {
  return `${name}-${shortDigest([recipes, ...inputs])}`;
}

export function shortDigest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}
