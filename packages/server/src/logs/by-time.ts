/** A log by time instead of by place: the last lines of a span, and how many there are in each part of it. */
import type { LogBook, LogCursor, LogLine, LogStream, Sought } from "./log-book.ts";
import { timeOf } from "./segments.ts";

export interface Span extends Sought {
  /** Of an app or an image. */
  logId: string;
  /** Texts that each wanted line has: lines without them are not even read. */
  has?: readonly string[];
  isWanted: (line: LogLine) => boolean;
}

/** How many lines each stream has in a part of a span. */
export interface Bucket extends Record<LogStream, number> {
  /** When it begins, in milliseconds since the epoch. */
  start: number;
}

/** What an answer holds at most, in characters. */
const mostCharacters = 16 * 1024 * 1024;

/** At most `limit` of them, in the order in which they came, and the place from which on others will come. */
export async function lastLines(
  logBook: LogBook,
  span: Span,
  limit: number,
): Promise<{ lines: LogLine[]; next: LogCursor }> {
  const lines: LogLine[] = [];
  let characters = 0;
  const next = await eachWanted(logBook, span, (line) => {
    characters += line.text.length;
    if (characters > mostCharacters) return false;
    return lines.push(line) < limit;
  });
  return { lines: lines.toReversed(), next };
}

/** Those that have lines, in the order of time; each begins at a multiple of its length. */
export async function countLines(logBook: LogBook, span: Span, bucketMs: number): Promise<Bucket[]> {
  const buckets = new Map<number, Bucket>();
  await eachWanted(logBook, span, ({ time, stream }) => {
    const start = Math.floor(time / bucketMs) * bucketMs;
    const bucket = buckets.get(start) ?? { start, stdout: 0, stderr: 0, system: 0 };
    bucket[stream]++;
    buckets.set(start, bucket);
    return true;
  });
  return [...buckets.values()].toSorted((a, b) => a.start - b.start);
}

/** The last one first, until `take` answers false. */
async function eachWanted(logBook: LogBook, span: Span, take: (line: LogLine) => boolean): Promise<LogCursor> {
  const { logId, since, until, has = [], isWanted } = span;
  const inside = has.map((text) => JSON.stringify(text).slice(1, -1)); // as it stands in the file
  return await logBook.eachBack(logId, span, (json) => {
    const time = timeOf(json) ?? since;
    if (time < since || time >= until || !inside.every((text) => json.includes(text))) return true;
    const line = JSON.parse(json) as LogLine;
    return line.terminal === undefined && isWanted(line) ? take(line) : true;
  });
}
