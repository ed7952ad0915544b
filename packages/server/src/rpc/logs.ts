/** An app's log as a stream: what is there, then what comes, until the app is done or the time is up. */
import {
  type AppGetLogsRequest,
  FileDescriptor,
  type ModalClient,
  type TaskLogsBatchSchema,
  type TaskLogsSchema,
} from "@lydian/contract";
import type { MessageInitShape } from "@bufbuild/protobuf";

import { knownApp } from "../apps/known.ts";
import type { App } from "../domain/app.ts";
import { logsBell } from "../domain/bells.ts";
import type { Tx } from "../domain/store.ts";
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

/** How much of a log a client gets to see that begins to follow it, in bytes: the rest it can fetch. */
const recentBytes = 4 * 1024 * 1024;

export function logRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  return { appGetLogs: user((request, call) => streamLogs(platform, request, call.signal)) };
}

async function* streamLogs(platform: Platform, request: AppGetLogsRequest, signal: AbortSignal): AsyncIterable<Batch> {
  const { logBook, store } = platform;
  const { timeout, lastEntryId, taskId } = request;
  const { appId, functions } = await store.read((tx) => narrow(tx, request));
  const isThere = (tx: Tx, containerId: string): Promise<boolean> =>
    tx.containers.get(containerId).then((container) => container !== undefined && container.state !== "gone");
  const isOver = (): Promise<boolean> =>
    store.read(async (tx) => (request.appId === "" ? !(await isThere(tx, taskId)) : isDone(await knownApp(tx, appId))));
  const from = lastEntryId === "" ? await logBook.placeBack(appId, recentBytes) : parseCursor(lastEntryId);
  for await (const page of followLog(platform, { logId: appId, from, holdMs: timeout * 1000, isOver, signal })) {
    if ("overAt" in page) yield { appDone: true, entryId: formatCursor(page.overAt) };
    else
      yield* batchesOf(
        page,
        (line) => isWanted(line, request, functions),
        (id) => store.read((tx) => isThere(tx, id)),
      );
  }
}

/** Whose log is asked for, and of which functions. Of a container alone, its app's. */
async function narrow(
  tx: Tx,
  request: AppGetLogsRequest,
): Promise<{ appId: string; functions: ReadonlySet<string> | undefined }> {
  const { taskId } = request;
  const container = request.appId === "" && taskId !== "" ? await tx.containers.get(taskId) : undefined;
  if (request.appId === "" && container === undefined) {
    throw fail("notFound", `Container ${taskId || request.sandboxId} does not exist.`);
  }
  const appId = container?.appId ?? request.appId;
  return { appId, functions: await functionsAsked(tx, { ...request, appId }) };
}

/** The function with its variants, or the one variant; undefined for all that the app has. */
export async function functionsAsked(
  tx: Tx,
  { appId, functionId, parametrizedFunctionId }: Record<"appId" | "functionId" | "parametrizedFunctionId", string>,
): Promise<ReadonlySet<string> | undefined> {
  await knownApp(tx, appId);
  if (parametrizedFunctionId !== "") return new Set([parametrizedFunctionId]);
  if (functionId === "") return undefined;
  return new Set([functionId, ...(await tx.functions.variants(functionId)).map(({ id }) => id)]);
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

function isWanted(line: LogLine, request: AppGetLogsRequest, functions: ReadonlySet<string> | undefined): boolean {
  const { taskId, fileDescriptor, searchText, functionCallId, inputId } = request;
  return (
    (functions === undefined || functions.has(line.functionId)) &&
    (taskId === "" || line.containerId === taskId) &&
    (functionCallId === "" || line.callId === functionCallId) &&
    (inputId === "" || line.inputId === inputId) &&
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
    ...(line.callId !== undefined && { functionCallId: line.callId }),
    ...(line.inputId !== undefined && { inputId: line.inputId }),
  };
}

/** A batch is about one container, so neighbouring lines of one go together; each carries the place after it. */
async function* batchesOf(
  { lines, after, next }: LogPage,
  isWanted: (line: LogLine) => boolean,
  isTerminalThere: (containerId: string) => Promise<boolean>,
): AsyncIterable<Batch> {
  let batch: (Batch & { items: object[] }) | undefined;
  for (const [at, line] of lines.entries()) {
    const { containerId: taskId, functionId, terminal } = line;
    if (!isWanted(line)) continue;
    if (batch !== undefined && (batch.taskId !== taskId || terminal !== undefined)) {
      yield batch;
      batch = undefined;
    }
    const entryId = formatCursor(after[at] ?? next);
    if (terminal === undefined) {
      batch ??= { taskId, functionId, items: [] };
      batch.items.push(itemOf(line));
      batch.entryId = entryId;
    } else if ("ended" in terminal) yield { taskId, functionId, eof: true, entryId };
    else if (await isTerminalThere(taskId)) yield { taskId, functionId, ptyExecId: terminal.id, entryId };
  }
  yield { ...batch, entryId: formatCursor(next) };
}
