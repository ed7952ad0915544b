/** The thread that unpacks one layer: pieces of its archive come as messages, and it tells how far it is. */
import { createHash } from "node:crypto";
import { on } from "node:events";
import { pipeline } from "node:stream/promises";
import { parentPort, workerData } from "node:worker_threads";
import { createGunzip, createZstdDecompress } from "node:zlib";

import { hasCode, messageOf, PlatformError } from "@lydian/kit/errors";

import { describeFailure } from "../../layers/mount-requests.ts";
import type { FromThread, ThreadOptions, ToThread } from "./apply-layer.ts";
import { LayerWriter } from "./layer-writer.ts";
import { TarReader } from "./tar-reader.ts";

if (parentPort === null) throw new Error("apply-thread.ts is started by apply-layer.ts");
const port = parentPort;
const { diff, diffId } = workerData as ThreadOptions;

/** Of what is unpacked at a time: fewer and longer turns of the decompressor's own thread. */
const chunkSize = 256 * 1024;

const tell = (message: FromThread): void => port.postMessage(message);

async function* pieces(): AsyncGenerator<Buffer> {
  for await (const [message] of on(port, "message") as AsyncIterable<[ToThread]>) {
    if (message.kind === "end") return;
    const { buffer, byteOffset, length } = message.bytes;
    yield Buffer.from(buffer, byteOffset, length);
    tell({ kind: "took", bytes: length });
  }
}

/** By what it begins with: names of types are not always right. */
function decompressorFor(first: Buffer): NodeJS.ReadWriteStream[] {
  if (first[0] === 0x1f && first[1] === 0x8b) return [createGunzip({ chunkSize })];
  if (first.length >= 4 && first.readUInt32LE(0) === 0xfd2fb528) return [createZstdDecompress({ chunkSize })];
  return [];
}

async function apply(): Promise<void> {
  const source = pieces();
  let first = Buffer.alloc(0);
  while (first.length < 4) {
    const { value, done } = await source.next();
    if (done === true) break;
    first = Buffer.concat([first, value]);
  }
  const whole = async function* (): AsyncGenerator<Buffer> {
    if (first.length > 0) yield first;
    yield* source;
  };
  const layer = new LayerWriter(diff);
  const reader = new TarReader(layer);
  const hash = createHash("sha256");
  await pipeline([whole, ...decompressorFor(first), write]);
  reader.finish();
  layer.finish();
  const digest = `sha256:${hash.digest("hex")}`;
  if (diffId !== undefined && digest !== diffId) {
    throw new PlatformError(`the layer is unpacked something else than its image says: ${digest}, not ${diffId}`);
  }

  async function write(unpacked: AsyncIterable<Buffer>): Promise<void> {
    for await (const piece of unpacked) {
      hash.update(piece);
      reader.push(piece);
    }
  }
}

function failureOf(error: unknown): FromThread {
  if (hasCode(error, "ENOSPC", "EDQUOT")) return { kind: "disk full", message: messageOf(error) };
  const isPacking = error instanceof Error && "code" in error && /^(Z|ZSTD)_/.test(String(error.code));
  if (!isPacking) return { kind: "failed", failure: describeFailure(error) };
  return { kind: "failed", failure: describeFailure(new PlatformError(`the layer is damaged: ${messageOf(error)}`)) };
}

tell({ kind: "ready" });
try {
  await apply();
  tell({ kind: "done" });
} catch (error) {
  tell(failureOf(error));
}
port.close();
