/**
 * The logs of apps, and of images' builds: for each a series of segment files of JSON lines, whose committed end stands in
 * the store.
 *
 * A piece is written and synced first and committed second; what lies beyond the committed end was never acknowledged
 * and is cut off on start. Pieces of one app that arrive while a write is under way go together in the next one.
 */
import { mkdir, open, readdir, truncate } from "node:fs/promises";
import { join } from "node:path";

import { type Bells, hasCode, removeBelow, syncFolder } from "@lydian/kit";

import { logsBell } from "../domain/bells.ts";
import { fail } from "../errors.ts";
import type { LogEnd, Store } from "../domain/store.ts";
import {
  eachLineBack,
  keepSpan,
  noSpan,
  removeSegment,
  type SegmentFile,
  segmentFile,
  lastTimeIn,
  segmentFiles,
  segmentsIn,
  spanOf,
  type TimeSpan,
  unlessMissing,
} from "./segments.ts";

export type LogStream = "stdout" | "stderr" | "system";

export interface LogLine {
  /** Milliseconds since the epoch. */
  time: number;
  containerId: string;
  functionId: string;
  stream: LogStream;
  /** What its container was at work on, where that can be said. */
  callId?: string;
  inputId?: string;
  /** With its newline, if it has one. */
  text: string;
  /** The container waits for a terminal from here on, whose input goes by this id; or it needs none any more. */
  terminal?: { id: string } | { ended: true };
}

/** A piece of one container's log, between two offsets in the worker's measure; or what the platform itself says. */
export interface LogPiece {
  /** Of a container or, for a build, an image; empty for the platform's own, which has no offsets. */
  containerId: string;
  fence: string;
  offset: number;
  endOffset: number;
  lines: LogLine[];
  /** Where each of the lines ends. */
  lineEnds: number[];
}

/** What the platform itself has to say, with its newline; of a function, when one is named. */
export interface Notice {
  to: { appId: string; functionId: string };
  text: string;
}

/** Writes it into the log of an app or of an image's build. */
export type Tell = (to: Notice["to"], text: string) => void;

/** A place in an app's log. */
export interface LogCursor {
  segment: number;
  bytes: number;
}

export interface LogPage {
  lines: LogLine[];
  /** The place after each of them. */
  after: LogCursor[];
  /** Where to go on. */
  next: LogCursor;
}

export const logStart: LogCursor = { segment: 0, bytes: 0 };

export interface Segment extends SegmentFile {
  /** When its last line was. */
  writtenAt: number;
}

/** A segment is left for the next one when it has grown beyond this. */
const segmentBytes = 4 * 1024 * 1024;

interface Waiting {
  piece: LogPiece;
  resolve: (committed: number) => void;
  reject: (error: unknown) => void;
}

/** What is looked for in a log. */
export interface Sought {
  /** Nothing before this place. */
  from: LogCursor;
  /** Milliseconds since the epoch; `until` is exclusive. */
  since: number;
  until: number;
}

export class LogBook {
  readonly #folder: string;
  readonly #store: Store;
  readonly #bells: Bells;
  readonly #queues = new Map<string, Waiting[]>();
  /** Logs that are being shortened: what is written waits for it. */
  readonly #dropping = new Map<string, Promise<void>>();
  readonly #spans = new Map<string, Map<number, TimeSpan>>();
  #isFull: () => void = () => {};
  /** Of the segments that are written to, where all of it was written since the start. */
  readonly #growing = new Map<string, TimeSpan & { segment: number }>();

  constructor(deps: { folder: string; store: Store; bells: Bells }) {
    this.#folder = deps.folder;
    this.#store = deps.store;
    this.#bells = deps.bells;
  }

  /** Cuts off what was written and never committed, and removes what was forgotten. */
  async start(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const ends = await this.#store.read((tx) => tx.logs.ends());
    for (const end of ends) await this.#cut(end);
    const known = new Set(ends.map(({ appId }) => appId));
    for (const appId of await readdir(this.#folder)) if (!known.has(appId)) await this.remove(appId);
  }

  /** Calls it whenever a segment is full, and so a log has become longer than it was when somebody last looked. */
  onFull(call: () => void): void {
    this.#isFull = call;
  }

  /** In bytes. */
  async size(appId: string): Promise<number> {
    return (await segmentFiles(join(this.#folder, appId))).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** In their order. */
  async segments(appId: string): Promise<Segment[]> {
    const folder = join(this.#folder, appId);
    const files = await segmentFiles(folder);
    const segments: Segment[] = [];
    for (const file of files) {
      const { segment } = file;
      const isFull = file !== files.at(-1);
      const writtenAt = isFull ? ((await spanOf(folder, segment))?.to ?? 0) : await lastTimeIn(folder, segment);
      segments.push({ ...file, writtenAt });
    }
    return segments;
  }

  /** The apps and images of which there is a log. */
  async ids(): Promise<string[]> {
    return await readdir(this.#folder);
  }

  /** The files of a log that the store has forgotten. */
  async remove(appId: string): Promise<void> {
    await removeBelow(this.#folder, join(this.#folder, appId));
    this.#spans.delete(appId);
  }

  /** Removes a log's beginning, with this segment as the last. What comes after it is where it was. */
  async drop(appId: string, last: number): Promise<void> {
    await this.#dropping.get(appId);
    const dropped = this.#drop(appId, last);
    const settled = dropped.catch(() => {}); // told to the caller; whoever waits goes on
    this.#dropping.set(appId, settled);
    void settled.then(() => {
      if (this.#dropping.get(appId) === settled) this.#dropping.delete(appId);
    });
    await dropped;
  }

  async #drop(appId: string, last: number): Promise<void> {
    const end = await this.#store.read((tx) => tx.logs.end(appId));
    if (end === undefined) return;
    if (end.segment <= last) {
      if (this.#queues.has(appId)) return; // it is being written to after all
      await this.#store.write((tx) => tx.logs.setEnd({ appId, segment: end.segment + 1, bytes: 0 }));
    }
    const folder = join(this.#folder, appId);
    for (const segment of await segmentsIn(folder)) {
      if (segment > last) break;
      await removeSegment(this.#folder, folder, segment);
      this.#spans.get(appId)?.delete(segment);
    }
  }

  /**
   * Takes a piece of the log of one of the app's containers. Answers up to where that container's log is on disk: of a
   * piece whose beginning is there already only the rest is taken, and one that leaves a gap is not taken.
   */
  append(appId: string, piece: LogPiece): Promise<number> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { piece, resolve, reject };
      const queue = this.#queues.get(appId);
      if (queue !== undefined) return void queue.push(waiting);
      this.#queues.set(appId, [waiting]);
      void this.#drain(appId);
    });
  }

  /** What the platform itself says about a function, to whoever reads its app's log. */
  async say({ appId, functionId }: { appId: string; functionId: string }, time: number, text: string): Promise<void> {
    const line: LogLine = { time, containerId: "", functionId, stream: "system", text };
    await this.append(appId, { containerId: "", fence: "", offset: 0, endOffset: 0, lines: [line], lineEnds: [0] });
  }

  /** Lines from a place on, about `maxBytes` of them at most. */
  async read(appId: string, from: LogCursor, maxBytes: number): Promise<LogPage> {
    const end = await this.#store.read((tx) => tx.logs.end(appId));
    if (end === undefined || from.segment > end.segment) return { lines: [], after: [], next: from };
    if (from.segment < end.segment) {
      const found = await this.#readSegment(appId, from, maxBytes, Number.POSITIVE_INFINITY);
      return found.lines.length > 0 ? found : { ...found, next: { segment: from.segment + 1, bytes: 0 } };
    }
    return this.#readSegment(appId, from, maxBytes, end.bytes);
  }

  /**
   * Calls `take` for each line that may be in the span, the last one first, until it answers false. Segments whose lines
   * are all of other times are passed over. Answers the place after the last line of all.
   */
  async eachBack(appId: string, { from, since, until }: Sought, take: (line: string) => boolean): Promise<LogCursor> {
    const end = await this.#store.read((tx) => tx.logs.end(appId));
    if (end === undefined) return from;
    const last = { segment: end.segment, bytes: end.bytes };
    const folder = join(this.#folder, appId);
    for (const segment of (await segmentsIn(folder)).toReversed()) {
      if (segment > end.segment) continue;
      if (segment < from.segment) return last;
      const isLast = segment === end.segment;
      const span = isLast ? undefined : await this.#span(appId, segment);
      if (!isLast && (span === undefined || span.from >= until || span.to < since)) continue;
      let goesOn = true;
      const bytes = isLast ? end.bytes : Number.POSITIVE_INFINITY;
      await eachLineBack(folder, segment, bytes, (line, at) => {
        if (segment === from.segment && at < from.bytes) return (goesOn = false);
        return (goesOn = take(line));
      });
      if (!goesOn) return last;
    }
    return last;
  }

  async #span(appId: string, segment: number): Promise<TimeSpan | undefined> {
    const known = this.#spans.get(appId) ?? new Map<number, TimeSpan>();
    this.#spans.set(appId, known);
    const span = known.get(segment) ?? (await spanOf(join(this.#folder, appId), segment));
    if (span !== undefined) known.set(segment, span);
    return span;
  }

  /** The place of a line so many bytes before the end, or somewhat later; the segment's beginning, where that is nearer. */
  async placeBack(appId: string, bytes: number): Promise<LogCursor> {
    const end = await this.#store.read((tx) => tx.logs.end(appId));
    if (end === undefined) return logStart;
    const { segment } = end;
    if (end.bytes <= bytes) return { segment, bytes: 0 };
    const file = await open(segmentFile(join(this.#folder, appId), segment), "r").catch(unlessMissing(undefined));
    if (file === undefined) return { segment, bytes: 0 };
    await using _file = file;
    const from = end.bytes - bytes;
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(bytes), 0, bytes, from);
    return { segment, bytes: from + buffer.subarray(0, bytesRead).indexOf(0x0a) + 1 };
  }

  /** Whether there is more after this place. */
  async hasMore(appId: string, from: LogCursor): Promise<boolean> {
    const end = await this.#store.read((tx) => tx.logs.end(appId));
    return end !== undefined && (from.segment < end.segment || from.bytes < end.bytes);
  }

  async #drain(appId: string): Promise<void> {
    for (;;) {
      const queue = this.#queues.get(appId) ?? [];
      if (queue.length === 0) return void this.#queues.delete(appId);
      await this.#dropping.get(appId);
      const batch = queue.splice(0);
      try {
        const committed = await this.#commit(appId, batch);
        for (const { piece, resolve } of batch) resolve(committed.get(piece.containerId) ?? 0);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
  }

  /** Answers the committed offsets of the containers in the batch. */
  async #commit(appId: string, batch: Waiting[]): Promise<Map<string, number>> {
    const { end, offsets } = await this.#store.read(async (tx) => {
      const known = new Map<string, number>();
      for (const { piece } of batch) {
        const offset = await tx.logs.offset(piece.containerId, piece.fence);
        if (offset !== undefined) known.set(piece.containerId, offset);
      }
      return { end: await tx.logs.end(appId), offsets: known };
    });
    const lines = batch.flatMap(({ piece }) => takeNew(piece, offsets));
    if (lines.length === 0) return offsets;
    const written = await this.#write(appId, end, lines);
    await this.#store.write(async (tx) => {
      await tx.logs.setEnd(written);
      for (const { piece } of batch) {
        const offset = offsets.get(piece.containerId);
        if (offset !== undefined) await tx.logs.setOffset(piece.containerId, piece.fence, offset);
      }
    });
    this.#bells.ring(logsBell(appId));
    return offsets;
  }

  async #write(appId: string, end: LogEnd | undefined, lines: readonly LogLine[]): Promise<LogEnd> {
    const folder = join(this.#folder, appId);
    const full = end !== undefined && end.bytes >= segmentBytes;
    // It is read to its end from here on, which must not be that of a piece that failed.
    if (full) await truncate(segmentFile(folder, end.segment), end.bytes);
    if (full) await this.#leave(appId, end.segment);
    const at = end === undefined ? logStart : full ? { segment: end.segment + 1, bytes: 0 } : end;
    const isNew = at.bytes === 0;
    if (isNew) await mkdir(folder, { recursive: true, mode: 0o700 });
    const data = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    await using file = await open(segmentFile(folder, at.segment), isNew ? "w" : "r+", 0o600);
    await file.write(data, 0, data.length, at.bytes);
    await file.datasync();
    if (isNew) await syncFolder(folder);
    this.#noteTimes(appId, at, lines);
    return { appId, segment: at.segment, bytes: at.bytes + data.length };
  }

  #noteTimes(appId: string, at: LogCursor, lines: readonly LogLine[]): void {
    if (at.bytes === 0) this.#growing.set(appId, { segment: at.segment, ...noSpan });
    const growing = this.#growing.get(appId);
    if (growing?.segment !== at.segment) return;
    for (const { time } of lines) {
      if (time < growing.from) growing.from = time;
      if (time > growing.to) growing.to = time;
    }
  }

  /** A segment is full. */
  async #leave(appId: string, segment: number): Promise<void> {
    const growing = this.#growing.get(appId);
    if (growing?.segment === segment) await keepSpan(join(this.#folder, appId), segment, growing);
    this.#growing.delete(appId);
    this.#isFull();
  }

  async #readSegment(appId: string, from: LogCursor, maxBytes: number, end: number): Promise<LogPage> {
    const opened = await open(segmentFile(join(this.#folder, appId), from.segment), "r").catch(
      unlessMissing(undefined),
    );
    if (opened === undefined) return { lines: [], after: [], next: from }; // it was dropped
    await using file = opened;
    const buffer = Buffer.alloc(Math.max(0, Math.min(maxBytes, end - from.bytes)));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from.bytes);
    const whole = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
    if (whole === 0 && bytesRead === maxBytes) return await this.#readSegment(appId, from, maxBytes * 2, end);
    const lines = buffer.toString("utf8", 0, whole).split("\n").slice(0, -1);
    const { segment } = from;
    let bytes = from.bytes;
    return {
      lines: lines.map((line) => parseLine(line, from)),
      after: lines.map((line) => ({ segment, bytes: (bytes += Buffer.byteLength(line) + 1) })),
      next: { segment, bytes: from.bytes + whole },
    };
  }

  async #cut(end: LogEnd): Promise<void> {
    const folder = join(this.#folder, end.appId);
    try {
      await using file = await open(segmentFile(folder, end.segment), "r+");
      await file.truncate(end.bytes);
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error; // nothing of this app's log was ever committed
    }
    for (const name of await readdir(folder).catch(() => [])) {
      if (Number.parseInt(name, 10) > end.segment) await removeBelow(this.#folder, join(folder, name));
    }
  }
}

/** The piece's lines that continue what is known, moving the known offset on. */
function takeNew(piece: LogPiece, offsets: Map<string, number>): readonly LogLine[] {
  if (piece.containerId === "") return piece.lines;
  const known = offsets.get(piece.containerId);
  if (known === undefined || piece.offset > known || piece.endOffset <= known) return [];
  offsets.set(piece.containerId, piece.endOffset);
  return piece.offset === known ? piece.lines : piece.lines.filter((_, at) => (piece.lineEnds[at] ?? 0) > known);
}

/** A place in the middle of a line can only come from outside. */
function parseLine(line: string, from: LogCursor): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch (error) {
    throw fail("invalidArgument", `${from.segment}-${from.bytes} is no place in the log.`, { cause: error });
  }
}
