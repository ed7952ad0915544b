/**
 * Says of each line that is printed which input prints it, where a container has several: the platform knows by the time alone
 * what a line belongs to, and takes these marks out of it again.
 */
import { lineMark } from "@lydian/contract";

import { inputContext } from "../calls/context.ts";

/** From now on, while `hasSeveral`. What the container's other processes print is not marked. */
export function markOutput(hasSeveral: () => boolean): void {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.isTTY) continue;
    const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
    stream.write = (chunk: unknown, ...rest: unknown[]): boolean => {
      const inputId = hasSeveral() ? inputContext.getStore()?.inputId : undefined;
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
