/**
 * Bytes of a file into an HTTP answer, by way of buffers that are used again: a stream's own are new ones each time, and to
 * have the kernel make and clear their pages costs more than to read and send them.
 */
import type { ServerResponse } from "node:http";

import type { ByteRange, ReadAt } from "./place.ts";

/** While one is being sent, the next is read. */
const bufferBytes = 512 * 1024;

/** Kept for the next answers. */
const mostSpare = 16;
const spare: Buffer[] = [];

/** Resolves when the kernel has all of it; rejects when the caller is gone, or the file is shorter than it was. */
export async function pour(read: ReadAt, { start, end }: ByteRange, response: ServerResponse): Promise<void> {
  const buffers = [buffer(), buffer()] as const;
  let sent = Promise.resolve();
  try {
    for (let [at, turn] = [start, 0]; at <= end; turn = 1 - turn) {
      const room = buffers[turn as 0 | 1].subarray(0, Math.min(bufferBytes, end + 1 - at));
      const length = await read(room, at);
      if (length === 0) throw new Error(`the content ends at ${at}, before ${end}`);
      at += length;
      await sent;
      sent = written(response, room.subarray(0, length));
      sent.catch(() => {}); // told below, or with the next one
    }
    await sent;
  } catch (error) {
    await sent.catch(() => {}); // until then the buffer is the socket's
    throw error;
  }
  if (spare.length < mostSpare) spare.push(...buffers);
}

const buffer = (): Buffer => spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);

async function written(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  response.write(bytes, (error) => (error ? reject(error) : resolve()));
  await promise;
}
