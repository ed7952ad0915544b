/**
 * Says of each line that is printed which input prints it. By the time alone, to the millisecond and as the line was read, nobody
 * could know it of short inputs, nor of several at a time. The platform takes these marks out again.
 */
import { lineMark } from "@lydian/contract";

import { inputContext } from "../calls/context.ts";

/** From now on. What the container's other processes print is not marked. */
export function markOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.isTTY) continue;
    const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
    stream.write = (chunk: unknown, ...rest: unknown[]): boolean => {
      const inputId = inputContext.getStore()?.inputId;
      return write(inputId === undefined ? chunk : marked(chunk, rest[0], lineMark(inputId)), ...rest);
    };
  }
}

function marked(chunk: unknown, encoding: unknown, mark: string): unknown {
  if (chunk instanceof Uint8Array)
    return Buffer.from(atLineStarts(Buffer.from(chunk).toString("latin1"), mark), "latin1");
  const isText = typeof encoding !== "string" || /^utf-?8$/i.test(encoding);
  return typeof chunk === "string" && isText ? atLineStarts(chunk, mark) : chunk;
}

const atLineStarts = (text: string, mark: string): string => mark + text.replaceAll(/\n(?!$)/g, `\n${mark}`);
