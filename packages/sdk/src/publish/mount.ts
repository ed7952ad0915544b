/** Files of this machine on the platform: what it lacks is sent, by digest. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

import { ModalClient, ObjectCreationType } from "@lydian/contract";

import { InvalidError } from "../errors.ts";
import type { AppPlace } from "../objects/place.ts";
import { storePayload } from "../values/payload.ts";
import type { ShippedFile } from "./shipped-files.ts";
import { inParallel } from "../objects/in-parallel.ts";

/** Asked for in one request. */
const mostAsked = 64;

/** The id of a mount of these files, all of which are there then. */
export async function makeMount(place: AppPlace, files: readonly ShippedFile[]): Promise<string> {
  const { client, appId } = place;
  const entries = await inParallel(files, async (file) => ({ file, sha256: digestOf(await bytesOf(file)) }));
  const missing = new Set<string>();
  for (let at = 0; at < entries.length; at += mostAsked) {
    const sha256HexHashes = entries.slice(at, at + mostAsked).map(({ sha256 }) => sha256);
    const reply = await client.ask(ModalClient.method.mountBatchedCheckExistence, { sha256HexHashes });
    for (const sha256 of reply.missingSha256HexHashes) missing.add(sha256);
  }
  const sent = entries.filter(({ sha256 }) => missing.delete(sha256)); // equal contents are sent once
  await inParallel(sent, async ({ file, sha256 }) => {
    const bytes = await bytesOf(file);
    if (digestOf(bytes) !== sha256)
      throw new InvalidError(`${file.remote} was changed while it was sent`, { hint: "run it again" });
    const payload = await storePayload(client, bytes, "sync");
    const dataOneof = payload.case === "data" ? payload : { case: "dataBlobId" as const, value: payload.value };
    await client.ask(ModalClient.method.mountPutFile, { sha256Hex: sha256, dataOneof });
  });
  const { mountId } = await client.ask(ModalClient.method.mountGetOrCreate, {
    objectCreationType: ObjectCreationType.ANONYMOUS_OWNED_BY_APP,
    appId,
    files: entries.map(({ file, sha256 }) => ({ filename: file.remote, sha256Hex: sha256, mode: file.mode })),
  });
  return mountId;
}

async function bytesOf({ content }: ShippedFile): Promise<Uint8Array> {
  if ("file" in content) return await readFile(content.file);
  return typeof content.text === "string" ? Buffer.from(content.text) : content.text;
}

export const digestOf = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");
