/** What COPY and ADD read unless they say from where: the files that a client sent along. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

import { fromBinary } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";

import type { ContentCache } from "../content.ts";
import { type ContextEntry, ContextTree, type SourceTree } from "./source-tree.ts";

export interface Context {
  readonly tree: SourceTree;
  /** What is copied by these sources, for a key. */
  identity(patterns: readonly string[]): Promise<readonly unknown[]>;
}

export async function contextOf(
  { contextManifestSha256, contextFiles }: Pick<wire.ImageRecipe, "contextManifestSha256" | "contextFiles">,
  content: Pick<ContentCache, "file">,
  signal: AbortSignal,
): Promise<Context> {
  const files = new Map<string, ContextEntry>();
  if (contextManifestSha256 !== "") {
    const file = await content.file(contextManifestSha256, signal);
    for (const { path, sha256, mode } of fromBinary(wire.ManifestSchema, await readFile(file)).files) {
      files.set(path, { sha256, mode, content: () => content.file(sha256, signal) });
    }
  }
  for (const { path, data } of contextFiles) {
    const sha256 = createHash("sha256").update(data).digest("hex");
    files.set(path.startsWith("/") ? path : `/${path}`, { sha256, mode: 0, content: async () => data });
  }
  const tree = new ContextTree(files);
  return { tree, identity: (patterns) => tree.identity(patterns) };
}
