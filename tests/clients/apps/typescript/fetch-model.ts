/** What an image is made with. */
import { mkdir, writeFile } from "node:fs/promises";

import { isLocal } from "lydian";

export async function fetchModel(name: string, sizes: Map<string, number>): Promise<void> {
  if (isLocal()) throw new Error("images are made elsewhere");
  await mkdir("/models");
  await writeFile(`/models/${name}`, `${process.env["MODEL_TOKEN"]} ${sizes.get(name)}`);
  await writeFile("/cache/fetched", name);
  console.log(`fetched ${name}`);
}
