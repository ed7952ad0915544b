/** Content as an HTTP answer, whole or a range of it. */
import type { OutgoingHttpHeaders } from "node:http";
import { Readable } from "node:stream";

import type { FastifyReply, FastifyRequest } from "fastify";

import { fail } from "../errors.ts";
import type { ContentStore } from "./content-store.ts";
import type { Sha256 } from "./digest.ts";
import type { ByteRange, OpenContent } from "./place.ts";
import { pour } from "./pour.ts";

/** Answers a GET. Throws notFound, and outOfRange for a range that lies behind the end. */
export async function sendContent(
  store: ContentStore,
  sha256: Sha256,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const content = await store.open(sha256);
  if (content === undefined) throw fail("notFound", `Content ${sha256} is not stored.`);
  try {
    const range = rangeOf(request.headers.range, content.size);
    if (range === "unsatisfiable") {
      void reply.header("content-range", `bytes */${content.size}`);
      throw fail("outOfRange", `The content has only ${content.size} bytes.`);
    }
    const length = range === undefined ? content.size : range.end - range.start + 1;
    void reply
      .code(range === undefined ? 200 : 206)
      .header("accept-ranges", "bytes")
      .header("cache-control", "private, no-store")
      .header("content-length", length)
      .type("application/octet-stream");
    if (range !== undefined) void reply.header("content-range", `bytes ${range.start}-${range.end}/${content.size}`);
    if (length === 0) {
      await content[Symbol.asyncDispose]();
      return await reply.send();
    }
    return await sendRange(content, range ?? { start: 0, end: content.size - 1 }, reply);
  } catch (error) {
    await content[Symbol.asyncDispose]();
    throw error;
  }
}

/** The body of an answer whose head is set, and zeros after it; closes the content. */
export async function sendRange(
  content: OpenContent,
  range: ByteRange,
  reply: FastifyReply,
  zeros = 0,
): Promise<FastifyReply> {
  const { read } = content;
  if (read === undefined) {
    const stream = content.stream(range);
    return await reply.send(zeros === 0 ? stream : Readable.from(withZeros(stream, zeros)));
  }
  const { raw } = reply;
  reply.hijack();
  raw.writeHead(reply.statusCode, reply.getHeaders() as OutgoingHttpHeaders);
  try {
    await pour(read, range, raw);
    raw.end(Buffer.alloc(zeros));
  } catch (error) {
    raw.destroy(error instanceof Error ? error : undefined); // what has begun can only be broken off
  } finally {
    await content[Symbol.asyncDispose]();
  }
  return reply;
}

async function* withZeros(stream: Readable, zeros: number): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) yield chunk as Buffer;
  yield Buffer.alloc(zeros);
}

/** Only single ranges; anything that is not one means the whole content, as HTTP wants it. */
export function rangeOf(header: string | undefined, size: number): ByteRange | "unsatisfiable" | undefined {
  const found = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  const [, first = "", last = ""] = found ?? [];
  if (first === "" && last === "") return undefined;
  if (first === "")
    return last === "0" || size === 0 ? "unsatisfiable" : { start: Math.max(0, size - Number(last)), end: size - 1 };
  const start = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < start) return undefined;
  return start >= size ? "unsatisfiable" : { start, end };
}
