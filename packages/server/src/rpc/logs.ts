/** An app's log as a stream: what is there, then what comes, until the app is done or the time is up. */
import {
  type AppGetLogsRequest,
  FileDescriptor,
  type ModalClient,
  type TaskLogsBatchSchema,
  type TaskLogsSchema,
} from "@lydian/contract";
import type { MessageInitShape } from "@bufbuild/protobuf";

import type { App } from "../domain/app.ts";
import { logsBell } from "../domain/bells.ts";
import { fail } from "../errors.ts";
import { formatCursor, parseCursor } from "../logs/cursor.ts";
import type { LogCursor, LogLine, LogPage, LogStream } from "../logs/log-book.ts";
import { type Rpcs, user } from "./adapter-access.ts";
import type { Platform } from "./platform.ts";

type Batch = MessageInitShape<typeof TaskLogsBatchSchema>;

export const descriptors: Record<LogStream, FileDescriptor> = {
  stdout: FileDescriptor.STDOUT,
  stderr: FileDescriptor.STDERR,
  system: FileDescriptor.INFO,
};

/** About how much of the log goes into one message, in bytes. */
const batchBytes = 256 * 1024;

export function logRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  return { appGetLogs: user((request, call) => streamLogs(platform, request, call.signal)) };
}

async function* streamLogs(platform: Platform, request: AppGetLogsRequest, signal: AbortSignal): AsyncIterable<Batch> {
  const { appId, timeout, lastEntryId } = request;
  const isOver = async (): Promise<boolean> => isDone(await findApp(platform, appId));
  await findApp(platform, appId);
  const whole = { logId: appId, from: parseCursor(lastEntryId), holdMs: timeout * 1000, isOver, signal };
  for await (const page of followLog(platform, whole)) {
    if ("overAt" in page) yield { appDone: true, entryId: formatCursor(page.overAt) };
    else yield* batchesOf(page, (line) => isWanted(line, request));
  }
}

export interface Following {
  /** Of an app or an image. */
  logId: string;
  from: LogCursor;
  /** How long to wait for more; 0 for what is there now. */
  holdMs: number;
  /** Nothing comes any more. */
  isOver: () => Promise<boolean>;
  signal: AbortSignal;
}

/** A log from a place on, until it is over or the time is up; where it is over, the last thing says where that was. */
export async function* followLog(
  { bells, clock, logBook, config }: Platform,
  { logId, from, holdMs, isOver, signal }: Following,
): AsyncGenerator<LogPage | { overAt: LogCursor }> {
  const deadline = clock.now() + Math.min(holdMs, config.times.claimHold);
  let cursor = from;
  const look = async (): Promise<"lines" | "over" | undefined> => {
    const over = await isOver(); // first: what was told before its end is there by then
    if (await logBook.hasMore(logId, cursor)) return "lines";
    return over ? "over" : undefined;
  };
  for (;;) {
    const waitMs = Math.max(0, deadline - clock.now());
    const found = await bells.until([logsBell(logId)], look, { clock, waitMs, signal });
    if (found === undefined) return;
    if (found === "over") return void (yield { overAt: cursor });
    const page = await logBook.read(logId, cursor, batchBytes);
    cursor = page.next;
    yield page;
  }
}

/** A client that left a detached app behind is done with its log, too. */
function isDone(app: App): boolean {
  return app.state === "stopped" || app.state === "disconnected";
}

async function findApp({ store }: Platform, appId: string): Promise<App> {
  const app = await store.read((tx) => tx.apps.get(appId));
  if (app === undefined) throw fail("notFound", `App ${appId} does not exist.`);
  return app;
}

function isWanted(line: LogLine, request: AppGetLogsRequest): boolean {
  const { functionId, taskId, fileDescriptor, searchText } = request;
  return (
    (functionId === "" || line.functionId === functionId) &&
    (taskId === "" || line.containerId === taskId) &&
    (fileDescriptor === FileDescriptor.UNSPECIFIED || descriptors[line.stream] === fileDescriptor) &&
    line.text.includes(searchText)
  );
}

/** A line as the clients take it. */
export function itemOf(line: LogLine): MessageInitShape<typeof TaskLogsSchema> {
  return {
    data: line.text,
    fileDescriptor: descriptors[line.stream],
    timestamp: line.time / 1000,
    timestampNs: BigInt(Math.round(line.time)) * 1_000_000n,
    containerId: line.containerId,
  };
}

/** A batch is about one container, so neighbouring lines of one go together; each carries the place after it. */
function* batchesOf({ lines, after, next }: LogPage, isWanted: (line: LogLine) => boolean): Iterable<Batch> {
  let batch: (Batch & { items: object[] }) | undefined;
  for (const [at, line] of lines.entries()) {
    if (!isWanted(line)) continue;
    if (batch !== undefined && batch.taskId !== line.containerId) {
      yield batch;
      batch = undefined;
    }
    batch ??= { taskId: line.containerId, functionId: line.functionId, items: [] };
    batch.items.push(itemOf(line));
    batch.entryId = formatCursor(after[at] ?? next);
  }
  yield { ...batch, entryId: formatCursor(next) };
}
