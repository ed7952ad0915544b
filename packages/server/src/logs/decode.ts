/** Turns the bytes of log lines into text; a character that was cut between two parts is put together again. */
import { takeMarks, worker } from "@lydian/contract";

import type { Owner } from "./line-owners.ts";
import type { LogLine, LogStream } from "./log-book.ts";

const streams: Record<number, LogStream> = {
  [worker.Logs_Stream.STDOUT]: "stdout",
  [worker.Logs_Stream.STDERR]: "stderr",
};

/** What has come of a stream. */
interface Decoding {
  readonly decoder: TextDecoder;
  /** The end of its last part, which may be the beginning of a mark. */
  rest: string;
  /** Who prints the line that is not at its end, if it says so. */
  inputId: string | undefined;
}

export class LogDecoders {
  readonly #decoders = new Map<string, Map<LogStream, Decoding>>();

  /** `ownerOf` says what the container was at work on at a time, or of the input that a line names whose it is. */
  decode(
    container: { id: string; functionId: string },
    lines: readonly worker.Logs_Line[],
    ownerOf: (time: number, inputId?: string) => Owner = () => ({}),
  ): LogLine[] {
    const own = this.#decoders.get(container.id) ?? new Map<LogStream, Decoding>();
    this.#decoders.set(container.id, own);
    return lines.map((line) => {
      const stream = streams[line.stream] ?? "system";
      const of = own.get(stream) ?? { decoder: new TextDecoder(), rest: "", inputId: undefined };
      own.set(stream, of);
      const { text, inputId, rest } = takeMarks(of.rest + of.decoder.decode(line.data, { stream: true }));
      const time = Number(line.timeMs);
      const printedBy = of.inputId ?? inputId;
      Object.assign(of, { rest, inputId: text.endsWith("\n") ? undefined : printedBy });
      const owner = stream === "system" ? {} : ownerOf(time, printedBy);
      return { time, containerId: container.id, functionId: container.functionId, stream, ...owner, text };
    });
  }

  forget(containerId: string): void {
    this.#decoders.delete(containerId);
  }
}
