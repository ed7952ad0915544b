/** The files of one log: named by their numbers, each with JSON lines; beside one that is full, between which times its lines are. */
import { open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";

import { hasCode, removeBelow } from "@lydian/kit";

/** Milliseconds since the epoch, both included. */
export interface TimeSpan {
  from: number;
  to: number;
}

export interface SegmentFile {
  segment: number;
  bytes: number;
}

const nameOf = (segment: number): string => String(segment).padStart(8, "0");

export function segmentFile(folder: string, segment: number): string {
  return join(folder, `${nameOf(segment)}.jsonl`);
}

const spanFile = (folder: string, segment: number): string => join(folder, `${nameOf(segment)}.span`);

/** In their order. */
export async function segmentsIn(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(unlessMissing([]));
  return names
    .filter((name) => name.endsWith(".jsonl"))
    .map((name) => Number.parseInt(name, 10))
    .toSorted((a, b) => a - b);
}

export async function segmentFiles(folder: string): Promise<SegmentFile[]> {
  const look = async (segment: number): Promise<SegmentFile[]> => {
    const found = await stat(segmentFile(folder, segment)).catch(unlessMissing(undefined));
    return found === undefined ? [] : [{ segment, bytes: found.size }];
  };
  return (await Promise.all((await segmentsIn(folder)).map(look))).flat();
}

/** `folder` lies in `root`. */
export async function removeSegment(root: string, folder: string, segment: number): Promise<void> {
  for (const file of [segmentFile(folder, segment), spanFile(folder, segment)]) await removeBelow(root, file);
}

/** Between which times the lines of a full segment are: read once, then kept beside it. Undefined when it is gone. */
export async function spanOf(folder: string, segment: number): Promise<TimeSpan | undefined> {
  try {
    const [from, to] = (await readFile(spanFile(folder, segment), "latin1")).split(" ").map(Number);
    if (from !== undefined && to !== undefined && !Number.isNaN(from + to)) return { from, to };
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  const span: TimeSpan = { ...noSpan };
  const isThere = await eachLineBack(folder, segment, Number.POSITIVE_INFINITY, (line) => {
    const time = timeOf(line);
    if (time !== undefined) Object.assign(span, { from: Math.min(span.from, time), to: Math.max(span.to, time) });
    return true;
  });
  if (!isThere) return undefined;
  await keepSpan(folder, segment, span);
  return span;
}

/** When its last line was written; long ago, when it has none. */
export async function lastTimeIn(folder: string, segment: number): Promise<number> {
  let last = 0;
  await eachLineBack(folder, segment, Number.POSITIVE_INFINITY, (line) => {
    last = timeOf(line) ?? 0;
    return last === 0;
  });
  return last;
}

/** Beside a full segment. */
export async function keepSpan(folder: string, segment: number, { from, to }: TimeSpan): Promise<void> {
  await writeFile(spanFile(folder, segment), `${from} ${to}`, { mode: 0o600 });
}

/** Of no line. */
export const noSpan: Readonly<TimeSpan> = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };

/** It comes first in each line, so the rest need not be read for it. */
export function timeOf(line: string): number | undefined {
  const found = /^\{"time":(\d+(?:\.\d+)?)/.exec(line)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** How much is gone through between two turns of the event loop, in bytes. */
const turnBytes = 512 * 1024;

/**
 * Calls `take` for each line before `end`, the last one first, until it answers false. False: the segment is gone. A file
 * is taken into memory whole, which its size allows; that of its lines only while they are looked at.
 */
export async function eachLineBack(
  folder: string,
  segment: number,
  end: number,
  take: (line: string, bytes: number) => boolean,
): Promise<boolean> {
  const file = await open(segmentFile(folder, segment), "r").catch(unlessMissing(undefined));
  if (file === undefined) return false;
  await using _file = file;
  const buffer = Buffer.allocUnsafe(Math.min(end, (await file.stat()).size));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  let until = buffer.subarray(0, bytesRead).lastIndexOf(newline);
  let nextTurn = until - turnBytes;
  while (until > 0) {
    const before = buffer.lastIndexOf(newline, until - 1);
    if (!take(buffer.toString("utf8", before + 1, until), before + 1)) return true;
    until = before;
    if (until >= nextTurn) continue;
    nextTurn = until - turnBytes;
    await setImmediate();
  }
  return true;
}

const newline = 0x0a;

/** For something that may be gone. */
export const unlessMissing =
  <T>(otherwise: T) =>
  (error: unknown): T => {
    if (hasCode(error, "ENOENT")) return otherwise;
    throw error;
  };
