/** A piece of an answer that was too large for a message: read from its blob piece by piece, never as a whole. */
import type { ContentStore } from "../content/content-store.ts";
import { sha256Of } from "../content/digest.ts";
import type { Store } from "../domain/store.ts";
import { fail } from "../errors.ts";
import type { AsgiMessage } from "./asgi.ts";

/** Of the wire's message for a piece of a body: the tags of the message, of its bytes, and of whether more follows. */
const tags = { message: 0x22, body: 0x0a, more: 0x10 } as const;

/** Tags and lengths in front of the bytes; and what may stand behind them. */
const mostFrame = 16;

/** Only pieces of bodies are ever that large. Throws invalidArgument at anything else. */
export async function* largeMessage(
  { store, content }: { store: Store; content: ContentStore },
  blobId: string,
): AsyncGenerator<AsgiMessage> {
  const blob = await store.read((tx) => tx.blobs.get(blobId));
  const opened = blob && (await content.open(sha256Of(blob.sha256)));
  if (opened === undefined) throw fail("notFound", `Blob ${blobId} does not exist.`);
  let head: Buffer = Buffer.alloc(0);
  let left: number | undefined; // bytes of the body that have not come yet, once its length is known
  let tail: Buffer = Buffer.alloc(0);
  for await (const piece of opened.stream() as AsyncIterable<Buffer>) {
    let rest = piece;
    if (left === undefined) {
      head = Buffer.concat([head, rest]);
      if (head.length < mostFrame && head.length < opened.size) continue;
      const start = bodyStart(head);
      left = start.length;
      rest = head.subarray(start.at);
    }
    const body = rest.subarray(0, left);
    left -= body.length;
    if (body.length > 0) yield bodyOf(body, true);
    tail = Buffer.concat([tail, rest.subarray(body.length)]);
    if (tail.length > mostFrame) throw broken();
  }
  if (left !== 0) throw broken();
  yield bodyOf(new Uint8Array(), tail[0] === tags.more && tail[1] === 1);
}

function bodyStart(head: Buffer): { at: number; length: number } {
  const message = varint(head, 1);
  if (head[0] !== tags.message || head[message.end] !== tags.body) throw broken();
  const body = varint(head, message.end + 1);
  return { at: body.end, length: body.value };
}

function varint(bytes: Buffer, start: number): { value: number; end: number } {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) throw broken();
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: start + i + 1 };
  }
  throw broken();
}

const broken = (): Error => fail("invalidArgument", "A large piece of an answer is not the piece of a body.");

function bodyOf(body: Uint8Array, moreBody: boolean): AsgiMessage {
  return { case: "httpResponseBody", value: { $typeName: "modal.client.Asgi.HttpResponseBody", body, moreBody } };
}
