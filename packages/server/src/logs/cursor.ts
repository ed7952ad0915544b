/** Places in a log, as text: what clients hand back to go on from there. */
import { type LogCursor, logStart } from "./log-book.ts";

export const formatCursor = ({ segment, bytes }: LogCursor): string => `${segment}-${bytes}`;

/** The log's beginning, for what is no place. */
export function parseCursor(text: string): LogCursor {
  const [, segment, bytes] = /^(\d{1,9})-(\d{1,15})$/.exec(text) ?? [];
  return segment === undefined ? logStart : { segment: Number(segment), bytes: Number(bytes) };
}
