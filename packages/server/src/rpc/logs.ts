/** An app's log as a stream: what is there, then what comes, until the app is done or the time is up. */
import { type AppGetLogsRequest, FileDescriptor, type ModalClient, type TaskLogsBatchSchema } from "@lydian/contract";
import type { MessageInitShape } from "@bufbuild/protobuf";

import type { App } from "../domain/app.ts";
import { logsBell } from "../domain/bells.ts";
import { fail } from "../errors.ts";
import { type LogCursor, type LogLine, type LogPage, type LogStream, logStart } from "../logs/log-book.ts";
import { type Rpcs, user } from "./adapter-access.ts";
import type { Platform } from "./platform.ts";

type Batch = MessageInitShape<typeof TaskLogsBatchSchema>;

const descriptors: Record<LogStream, FileDescriptor> = {
  stdout: FileDescriptor.STDOUT,
  stderr: FileDescriptor.STDERR,
  system: FileDescriptor.INFO,
};

/** About how much of the log goes into one message, in bytes. */
const batchBytes = 256 * 1024;

/** Places in the log, as the client hands them back. */
export const formatCursor = ({ segment, bytes }: LogCursor): string => `${segment}-${bytes}`;
export function parseCursor(text: string): LogCursor {
  const [, segment, bytes] = /^(\d{1,9})-(\d{1,15})$/.exec(text) ?? [];
  return segment === undefined ? logStart : { segment: Number(segment), bytes: Number(bytes) };
}

export function logRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  return { appGetLogs: user((request, call) => streamLogs(platform, request, call.signal)) };
}

async function* streamLogs(platform: Platform, request: AppGetLogsRequest, signal: AbortSignal): AsyncIterable<Batch> {
  const { store, bells, clock, logBook } = platform;
  const { appId } = request;
  const deadline = clock.now() + Math.min(request.timeout * 1000, platform.config.times.claimHold);
  let cursor = parseCursor(request.lastEntryId);
  const look = async (): Promise<"lines" | "done" | undefined> => {
    const app = await findApp(platform, appId);
    if (await logBook.hasMore(appId, cursor)) return "lines";
    return isDone(app) ? "done" : undefined;
  };
  await findApp(platform, appId);
  for (;;) {
    const waitMs = Math.max(0, deadline - clock.now());
    const found = await bells.until([logsBell(appId)], look, { clock, waitMs, signal });
    if (found === undefined) return;
    if (found === "done") return void (yield { appDone: true, entryId: formatCursor(cursor) });
    const page = await logBook.read(appId, cursor, batchBytes);
    cursor = page.next;
    yield* batchesOf(page, (line) => isWanted(line, request));
    if (request.timeout === 0 && !(await logBook.hasMore(appId, cursor))) {
      const app = await store.read((tx) => tx.apps.get(appId));
      if (app === undefined || !isDone(app)) return;
    }
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

/** A batch is about one container, so neighbouring lines of one go together; each carries the place after it. */
function* batchesOf({ lines, after, next }: LogPage, isWanted: (line: LogLine) => boolean): Iterable<Batch> {
  let batch: (Batch & { items: object[] }) | undefined;
  for (const [at, line] of lines.entries()) {
    if (!isWanted(line)) continue;
    const item = {
      data: line.text,
      fileDescriptor: descriptors[line.stream],
      timestamp: line.time / 1000,
      timestampNs: BigInt(Math.round(line.time)) * 1_000_000n,
      containerId: line.containerId,
    };
    if (batch !== undefined && batch.taskId !== line.containerId) {
      yield batch;
      batch = undefined;
    }
    batch ??= { taskId: line.containerId, functionId: line.functionId, items: [] };
    batch.items.push(item);
    batch.entryId = formatCursor(after[at] ?? next);
  }
  yield { ...batch, entryId: formatCursor(next) };
}
