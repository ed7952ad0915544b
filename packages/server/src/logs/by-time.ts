/** A log by time instead of by place: the last lines of a span, and how many there are in each part of it. */
import type { LogBook, LogCursor, LogLine, LogStream } from "./log-book.ts";

export interface Span {
  /** Of an app or an image. */
  logId: string;
  /** Nothing before this place is looked at. */
  from: LogCursor;
  /** Milliseconds since the epoch; `until` is exclusive. */
  since: number;
  until: number;
  isWanted: (line: LogLine) => boolean;
}

/** How many lines each stream has in a part of a span. */
export interface Bucket extends Record<LogStream, number> {
  /** When it begins, in milliseconds since the epoch. */
  start: number;
}

/** How much of a log is read at once, in bytes. */
const pageBytes = 256 * 1024;

/** What an answer holds at most, in characters. */
const mostCharacters = 16 * 1024 * 1024;

/** At most `limit` of them. */
export async function lastLines(logBook: LogBook, span: Span, limit: number): Promise<LogLine[]> {
  let lines: LogLine[] = [];
  let characters = 0;
  for await (const line of linesIn(logBook, span)) {
    lines.push(line);
    characters += line.text.length;
    if (lines.length < 2 * limit && characters < 2 * mostCharacters) continue;
    lines = lastOf(lines, limit);
    characters = lines.reduce((sum, { text }) => sum + text.length, 0);
  }
  return lastOf(lines, limit);
}

function lastOf(lines: readonly LogLine[], limit: number): LogLine[] {
  let characters = 0;
  const before = lines.findLastIndex(({ text }) => (characters += text.length) > mostCharacters);
  return lines.slice(Math.max(before + 1, lines.length - limit));
}

/** Those that have lines, in the order of time; each begins at a multiple of its length. */
export async function countLines(logBook: LogBook, span: Span, bucketMs: number): Promise<Bucket[]> {
  const buckets = new Map<number, Bucket>();
  for await (const { time, stream } of linesIn(logBook, span)) {
    const start = Math.floor(time / bucketMs) * bucketMs;
    const bucket = buckets.get(start) ?? { start, stdout: 0, stderr: 0, system: 0 };
    bucket[stream]++;
    buckets.set(start, bucket);
  }
  return [...buckets.values()].toSorted((a, b) => a.start - b.start);
}

async function* linesIn(
  logBook: LogBook,
  { logId, from, since, until, isWanted }: Span,
): AsyncGenerator<LogLine, void, undefined> {
  let cursor = from;
  while (await logBook.hasMore(logId, cursor)) {
    const page = await logBook.read(logId, cursor, pageBytes);
    cursor = page.next;
    for (const line of page.lines) if (line.time >= since && line.time < until && isWanted(line)) yield line;
  }
}
