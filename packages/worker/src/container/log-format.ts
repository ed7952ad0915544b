/**
 * The format of a container's log, which is conmon's (and CRI's): one record a line,
 * `<RFC 3339 time> stdout|stderr|system F|P <text>`. P: the text's line goes on in the stream's next record.
 */

export type LogStream = "stdout" | "stderr" | "system";

export interface LogLine {
  stream: LogStream;
  timeMs: number;
  /** A line with its newline, or a part of one; bytes, for a record may end inside a character. */
  data: Buffer;
  /** Of its record in the file, in bytes. */
  size: number;
}

const newline = 0x0a;
const streams: ReadonlySet<string> = new Set<LogStream>(["stdout", "stderr", "system"]);

export interface LogRecords {
  lines: LogLine[];
  /** How many bytes their records take. */
  length: number;
}

/** The records that are complete in `bytes`. */
export function parseRecords(bytes: Buffer): LogRecords {
  const lines: LogLine[] = [];
  let at = 0;
  for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, at)) {
    lines.push({ ...parseRecord(bytes.subarray(at, end)), size: end + 1 - at });
    at = end + 1;
  }
  return { lines, length: at };
}

/** Those before the first line of which there is only a part. */
export function beforeOpenLine({ lines }: LogRecords): LogRecords {
  const open = new Map<LogStream, number>();
  for (const [at, { stream, data }] of lines.entries()) {
    if (data.at(-1) === newline) open.delete(stream);
    else if (!open.has(stream)) open.set(stream, at);
  }
  const whole = lines.slice(0, Math.min(lines.length, ...open.values()));
  return { lines: whole, length: sizeOf(whole) };
}

/** The same with the parts of a line put together that follow each other, so that a line is found by any word in it. */
export function joinParts(lines: readonly LogLine[]): LogLine[] {
  const joined: LogLine[] = [];
  for (let at = 0; at < lines.length;) {
    const first = lines[at];
    if (first === undefined) break;
    let end = at + 1;
    while (lines[end - 1]?.data.at(-1) !== newline && lines[end]?.stream === first.stream) end++;
    const parts = lines.slice(at, end);
    joined.push(
      parts.length === 1
        ? first
        : { ...first, data: Buffer.concat(parts.map(({ data }) => data)), size: sizeOf(parts) },
    );
    at = end;
  }
  return joined;
}

const sizeOf = (lines: readonly LogLine[]): number => lines.reduce((sum, { size }) => sum + size, 0);

/** A record without its newline. What is none (the keeper was killed while it wrote) is shown as it is. */
function parseRecord(record: Buffer): Omit<LogLine, "size"> {
  const [time = "", stream = "", tag = ""] = record.toString("latin1", 0, 64).split(" ", 3);
  const timeMs = Date.parse(time);
  if (Number.isNaN(timeMs) || !streams.has(stream) || (tag !== "F" && tag !== "P")) {
    return { stream: "stderr", timeMs: 0, data: Buffer.concat([record, Buffer.from("\n")]) };
  }
  const text = record.subarray(time.length + stream.length + tag.length + 3);
  const data = tag === "F" ? Buffer.concat([text, Buffer.from("\n")]) : Buffer.from(text);
  return { stream: stream as LogStream, timeMs, data };
}

/** Records for whole lines of text. */
export function formatRecords(stream: LogStream, timeMs: number, text: string): string {
  const prefix = `${new Date(timeMs).toISOString()} ${stream} F `;
  return text
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => `${prefix}${line}\n`)
    .join("");
}
