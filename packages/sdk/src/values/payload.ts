/** Bytes of arguments and results: within the message, or as a blob where they are too many for one. */
import { createHash } from "node:crypto";

import { ModalClient } from "@lydian/contract";

import type { Client } from "../client/client.ts";
import { ConnectionError } from "../errors.ts";

/** How long a blob may take to travel, in milliseconds. */
const blobTimeoutMs = 30 * 60_000;

export type Payload = { case: "data"; value: Uint8Array } | { case: "blob"; value: string };

export async function storePayload(client: Client, bytes: Uint8Array, invocation: "sync" | "async"): Promise<Payload> {
  if (bytes.byteLength <= client.mostWithin[invocation]) return { case: "data", value: bytes };
  return { case: "blob", value: await putBlob(client, bytes) };
}

async function putBlob(client: Client, bytes: Uint8Array): Promise<string> {
  const { blobId, uploadTypeOneof: upload } = await client.ask(ModalClient.method.blobCreate, {
    contentMd5: createHash("md5").update(bytes).digest("base64"),
    contentSha256Base64: createHash("sha256").update(bytes).digest("base64"),
    contentLength: BigInt(bytes.byteLength),
  });
  if (upload.case !== "uploadUrl")
    throw new ConnectionError("the platform takes blobs in a way that this version does not know");
  const body = bytes as Uint8Array<ArrayBuffer>;
  await exchange(upload.value, { method: "PUT", body });
  return blobId;
}

export async function getBlob(client: Client, blobId: string): Promise<Uint8Array> {
  const { downloadUrl } = await client.ask(ModalClient.method.blobGet, { blobId });
  return new Uint8Array(await (await exchange(downloadUrl, {})).arrayBuffer());
}

/** One request of HTTP for bytes of the platform. */
export async function exchange(url: string, request: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...request, signal: AbortSignal.timeout(blobTimeoutMs) });
  } catch (error) {
    throw new ConnectionError(`a large value could not be moved: ${new URL(url).origin} does not answer`, {
      cause: error,
    });
  }
  if (response.ok) return response;
  throw new ConnectionError(`a large value could not be moved: HTTP ${response.status} ${await response.text()}`);
}
