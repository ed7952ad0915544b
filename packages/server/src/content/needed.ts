/**
 * Finds out what content is needed, and which blobs and mounts: all that rows refer to, as of one moment. What is referred to
 * later was either referred to then, or somebody has asked for it since (unneeded.ts).
 */
import { fromBinary } from "@bufbuild/protobuf";
import { FunctionInputSchema, GenericResultSchema, worker } from "@lydian/contract";

import type { Page } from "../domain/content-uses.ts";
import type { Tx } from "../domain/store.ts";
import { decodeDefinition } from "../functions/definition.ts";

/** What digests and ids are collected in. */
export interface Keys {
  add(key: string): void;
  has(key: string): boolean;
}

export interface Needed<Found extends Keys> {
  /** Digests. */
  readonly content: Found;
  readonly blobs: Found;
  /** Of functions whose app has not ended. */
  readonly mounts: ReadonlySet<string>;
}

export interface Reading<Found extends Keys> {
  /** An empty one. */
  readonly newKeys: () => Found;
  /** The content with this digest; undefined when it is not there. */
  readonly read: (sha256: string) => Promise<Uint8Array | undefined>;
  /** Lets others have their turn; throws when there is no more time. */
  readonly pause: () => Promise<void>;
}

type Pause = () => Promise<void>;

/** Rows that are looked at between two pauses. */
export const pageRows = 1000;

/** `tx` sees one moment. */
export async function findNeeded<Found extends Keys>(tx: Tx, reading: Reading<Found>): Promise<Needed<Found>> {
  const { pause, newKeys } = reading;
  const blobs = newKeys();
  for await (const id of blobIds(tx, pause)) blobs.add(id);
  const content = newKeys();
  for await (const { id, sha256 } of each((after) => tx.contentUses.blobs(after, pageRows), "", pause)) {
    if (blobs.has(id)) content.add(sha256);
  }
  const nowhere = { volumeId: "", path: "", since: 0 };
  for await (const sha256 of each((after) => tx.contentUses.pieces(after, pageRows), nowhere, pause))
    content.add(sha256);
  const mounts = await neededMounts(tx, pause);
  const manifests = new Set<string>();
  for await (const { id, manifestSha256 } of each((after) => tx.contentUses.mounts(after, pageRows), "", pause)) {
    if (mounts.has(id)) manifests.add(manifestSha256);
  }
  for await (const sha256 of ofImages(tx, reading, manifests)) content.add(sha256);
  for (const sha256 of manifests) {
    content.add(sha256);
    const bytes = await reading.read(sha256);
    if (bytes !== undefined)
      for (const file of fromBinary(worker.ManifestSchema, bytes).files) content.add(file.sha256);
    await pause();
  }
  return { content, blobs, mounts };
}

/** All of a list. */
export async function* each<T, Place>(
  read: (after: Place) => Promise<Page<T, Place>>,
  first: Place,
  pause: Pause,
): AsyncGenerator<T> {
  for (let after: Place | undefined = first; after !== undefined;) {
    const page: Page<T, Place> = await read(after);
    yield* page.found;
    after = page.next;
    await pause();
  }
}

async function* blobIds({ contentUses: uses }: Tx, pause: Pause): AsyncGenerator<string> {
  for await (const bytes of each((after) => uses.inputs(after), 0, pause)) {
    const { argsOneof } = fromBinary(FunctionInputSchema, bytes);
    if (argsOneof.case === "argsBlobId") yield argsOneof.value;
  }
  for await (const bytes of each((after) => uses.results(after), 0, pause)) yield* blobOfResult(bytes);
  for (const bytes of await uses.endings()) yield* blobOfResult(bytes);
  yield* each((after) => uses.chunks(after, pageRows), { callId: "", index: -1 }, pause);
}

function blobOfResult(bytes: Uint8Array): string[] {
  const { dataOneof } = fromBinary(GenericResultSchema, bytes);
  return dataOneof.case === "dataBlobId" ? [dataOneof.value] : [];
}

/** Containers of an app that stops may still be starting. */
async function neededMounts(tx: Tx, pause: Pause): Promise<Set<string>> {
  const needed = new Set<string>();
  const living = await tx.apps.inStates([
    "initializing",
    "ephemeral",
    "detached",
    "disconnected",
    "deployed",
    "stopping",
  ]);
  for (const { id } of living) {
    for (const record of await tx.functions.ofApp(id)) {
      for (const mountId of decodeDefinition(record).mountIds) needed.add(mountId);
    }
    for (const edition of await tx.editions.ofApp(id)) {
      for (const mountId of decodeDefinition(edition).mountIds) needed.add(mountId);
    }
    await pause();
  }
  return needed;
}

/** Of all images that are known, for each may have to be made again. The manifests that they need are added to the others. */
async function* ofImages(
  tx: Tx,
  { read, pause }: Pick<Reading<Keys>, "read" | "pause">,
  manifests: Set<string>,
): AsyncGenerator<string> {
  for (const { id } of await tx.images.uses()) {
    const image = await tx.images.get(id);
    if (image === undefined) continue;
    const { contextManifestSha256, contextFiles, called } = image.recipe;
    if (contextManifestSha256 !== "") manifests.add(contextManifestSha256);
    for (const { sha256 } of contextFiles) yield sha256;
    if (called !== undefined) {
      yield called.sha256;
      const bytes = await read(called.sha256);
      const mounts = bytes === undefined ? [] : fromBinary(worker.BuildFunctionSchema, bytes).mounts;
      for (const { manifestSha256 } of mounts) manifests.add(manifestSha256);
    }
    await pause();
  }
}
