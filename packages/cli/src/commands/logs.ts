/** `lydian logs`: what an app has printed, and what it goes on to print. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { FileDescriptor, ModalClient, type TaskLogs } from "@lydian/contract";
import { Argument, Option } from "commander";

import { type CliCommand, exitStatus } from "../command.ts";
import { findApp } from "../find-app.ts";
import { connect, type PlatformClient } from "../platform-client.ts";
import type { Terminal } from "../terminal.ts";
import { timeOf } from "../words.ts";
import { dataOption, jsonOption, parseAge, parseLimit } from "./options.ts";

export interface LogsOptions {
  data?: string;
  env?: string;
  follow?: boolean;
  tail: number;
  since?: number;
  search?: string;
  container?: string;
  call?: string;
  input?: string;
  timestamps?: boolean;
  json?: boolean;
}

/** How long one request for what comes is held, in seconds. */
const holdSeconds = 50;

export const logs: CliCommand<LogsOptions> = {
  name: "logs",
  summary: "show an app's log",
  description: "Shows the last lines of an app's log, also of one that has stopped, and with --follow all that comes.",
  operands: [new Argument("<app>", "its id or name; of several that have stopped the newest is meant")],
  options: [
    new Option("-f, --follow", "go on with what comes, until the app ends or Ctrl-C"),
    new Option("--tail <n>", "how many lines at most").default(100).argParser(parseLimit),
    new Option("--since <age>", "only of this time, such as 30m, 6h, 2d").argParser(parseAge),
    new Option("--search <text>", "only lines with this text"),
    new Option("--container <container>", "only of this container, such as ta-…"),
    new Option("--call <call>", "only of this call, such as fc-…"),
    new Option("--input <input>", "only of this input, such as in-…"),
    new Option("-t, --timestamps", "begin each line with its time"),
    new Option("--env <environment>", "only in this environment"),
    jsonOption(),
    dataOption(),
  ],
  examples: [
    { line: "lydian logs reports", effect: "the last 100 lines" },
    { line: "lydian logs reports -f --since 1h", effect: "the last hour, and what comes" },
    { line: "lydian logs reports --search ERROR --json", effect: "for programs: one JSON object a line" },
  ],
  run: async (options, terminal, [app = ""]) => {
    using client = await connect(options, terminal.env);
    const { appId } = await findApp(client, app, options.env ?? "");
    const show = printer(options, terminal);
    const from = await showLast(client, appId, options, show);
    if (options.follow === true) await showComing(client, appId, options, from, show);
    return exitStatus.ok;
  },
};

type Show = (item: TaskLogs, containerId: string) => void;

/** Answers the place after the last line. */
async function showLast(client: PlatformClient, appId: string, options: LogsOptions, show: Show): Promise<string> {
  const { batches } = await client.ask(ModalClient.method.appFetchLogs, {
    appId,
    limit: options.tail,
    ...wantedOf(options),
    ...(options.since !== undefined && { since: timestampFromMs(Date.now() - options.since) }),
  });
  for (const { items, taskId } of batches) for (const item of items) show(item, taskId);
  return batches.at(-1)?.entryId ?? "";
}

/** From the place that the last lines ended at; each request is held for a while, and followed by the next. */
async function showComing(
  client: PlatformClient,
  appId: string,
  options: LogsOptions,
  from: string,
  show: Show,
): Promise<void> {
  let lastEntryId = from;
  for (;;) {
    const request = {
      ...{ appId, lastEntryId, timeout: holdSeconds },
      ...wantedOf(options),
    };
    for await (const batch of client.follow(ModalClient.method.appGetLogs, request)) {
      lastEntryId = batch.entryId || lastEntryId;
      for (const item of batch.items) show(item, batch.taskId);
      if (batch.appDone) return;
    }
  }
}

const wantedOf = ({ search = "", container = "", call = "", input = "" }: LogsOptions) => ({
  ...{ searchText: search, taskId: container, functionCallId: call, inputId: input },
});

function printer({ json, timestamps }: LogsOptions, terminal: Terminal): Show {
  let beginsLine = true; // what a program writes comes in pieces, as it wrote them
  return (item, containerId) => {
    const { data: text, timestampNs, fileDescriptor, functionCallId, inputId } = item;
    if (text === "") return;
    const stream = streams[fileDescriptor] ?? "system";
    const time = new Date(Number(timestampNs / 1_000_000n));
    if (json === true) {
      const owner = { containerId, ...(functionCallId && { functionCallId }), ...(inputId && { inputId }) };
      return terminal.print(JSON.stringify({ time: time.toISOString(), stream, ...owner, text }));
    }
    const stamped = timestamps === true && beginsLine ? `${timeOf(BigInt(time.getTime()))}  ${text}` : text;
    beginsLine = text.endsWith("\n");
    if (stream === "stderr") terminal.writeReport(stamped);
    else terminal.write(stream === "system" ? terminal.paint("dim", stamped) : stamped);
  };
}

const streams: Partial<Record<FileDescriptor, string>> = {
  [FileDescriptor.STDOUT]: "stdout",
  [FileDescriptor.STDERR]: "stderr",
};
