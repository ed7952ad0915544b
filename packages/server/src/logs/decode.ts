/** Turns the bytes of log lines into text; a character that was cut between two parts is put together again. */
import { worker } from "@lydian/contract";

import type { Owner } from "./line-owners.ts";
import type { LogLine, LogStream } from "./log-book.ts";

const streams: Record<number, LogStream> = {
  [worker.Logs_Stream.STDOUT]: "stdout",
  [worker.Logs_Stream.STDERR]: "stderr",
};

export class LogDecoders {
  readonly #decoders = new Map<string, Map<LogStream, TextDecoder>>();

  /** `ownerOf` says what the container was at work on at a time. */
  decode(
    container: { id: string; functionId: string },
    lines: readonly worker.Logs_Line[],
    ownerOf: (time: number) => Owner = () => ({}),
  ): LogLine[] {
    const own = this.#decoders.get(container.id) ?? new Map<LogStream, TextDecoder>();
    this.#decoders.set(container.id, own);
    return lines.map((line) => {
      const stream = streams[line.stream] ?? "system";
      const decoder = own.get(stream) ?? new TextDecoder();
      own.set(stream, decoder);
      const text = decoder.decode(line.data, { stream: true });
      const time = Number(line.timeMs);
      const owner = stream === "system" ? {} : ownerOf(time);
      return { time, containerId: container.id, functionId: container.functionId, stream, ...owner, text };
    });
  }

  forget(containerId: string): void {
    this.#decoders.delete(containerId);
  }
}
