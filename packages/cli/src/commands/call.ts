/** `lydian call`: looks at the calls of a platform, cancels them, and runs again what failed. */
import { toJson } from "@bufbuild/protobuf";
import { operator } from "@lydian/contract";
import { Argument, Option } from "commander";

import { type CliCommand, type CommandGroup, exitStatus } from "../command.ts";
import { connect } from "../platform-client.ts";
import { type Column, tableOf } from "../table.ts";
import type { Terminal } from "../terminal.ts";
import { timeOf } from "../words.ts";
import { dataOption, jsonOption, parseAge, parseLimit } from "./options.ts";

const methods = operator.Operators.method;

interface CommonOptions {
  data?: string;
  json?: boolean;
}

interface ListOptions extends CommonOptions {
  app?: string;
  function?: string;
  state?: keyof typeof states;
  since?: number;
  limit: number;
}

const states = {
  open: operator.CallState.OPEN,
  succeeded: operator.CallState.SUCCEEDED,
  failed: operator.CallState.FAILED,
};

const callId = new Argument("<call-id>", "the call, such as fc-…");
const json = jsonOption();
const limit = new Option("--limit <n>", "how many lines at most").default(100).argParser(parseLimit);

const list: CliCommand<ListOptions> = {
  name: "list",
  summary: "list calls, the newest first",
  description:
    "Lists the calls that the platform knows: those that run, and finished ones for the time that their results are kept.",
  options: [
    new Option("--app <app>", "only of this app: its name or id"),
    new Option("--function <function>", "only of this function: its name or id"),
    new Option("--state <state>", "only in this state").choices(Object.keys(states)),
    new Option("--since <age>", "only those made in this time, such as 30m, 6h, 2d").argParser(parseAge),
    limit,
    json,
    dataOption(),
  ],
  examples: [
    { line: "lydian call list --state failed --since 1d", effect: "what failed since yesterday" },
    { line: "lydian call list --app train --json", effect: "for programs" },
  ],
  run: async (options, terminal) => {
    using client = await connect(options, terminal.env);
    const reply = await client.ask(methods.listCalls, {
      app: options.app ?? "",
      function: options.function ?? "",
      state: options.state ? states[options.state] : operator.CallState.CALL_STATE_UNSPECIFIED,
      createdAfterMs: BigInt(options.since === undefined ? 0 : Date.now() - options.since),
      limit: options.limit,
    });
    if (options.json) return printJson(terminal, toJson(operator.ListCallsResponseSchema, reply));
    if (reply.calls.length === 0) terminal.print("No calls.");
    else terminal.print(tableOf(reply.calls, callColumns(terminal), (title) => terminal.paint("dim", title)));
    return exitStatus.ok;
  },
};

const inspect: CliCommand<CommonOptions & { limit: number }> = {
  name: "inspect",
  summary: "show a call and its inputs",
  description: "Shows how a call stands and, input by input, where it is, how often it was tried and how it ended.",
  operands: [callId],
  options: [limit, json, dataOption()],
  examples: [{ line: "lydian call inspect fc-00VbtB4oEOs9IStIQaI31W", effect: "one call" }],
  run: async (options, terminal, [id = ""]) => {
    using client = await connect(options, terminal.env);
    const reply = await client.ask(methods.inspectCall, { callId: id, limit: options.limit });
    if (options.json) return printJson(terminal, toJson(operator.InspectCallResponseSchema, reply));
    const { call, inputs } = reply;
    if (call !== undefined)
      terminal.print(tableOf([call], callColumns(terminal), (title) => terminal.paint("dim", title)));
    terminal.print();
    terminal.print(tableOf(inputs, inputColumns(terminal), (title) => terminal.paint("dim", title)));
    const left = (call?.inputs ?? 0) - inputs.length;
    if (left > 0) terminal.print(terminal.paint("dim", `… and ${left} more; --limit shows them`));
    return exitStatus.ok;
  },
};

const cancel: CliCommand<CommonOptions & { endContainers?: boolean }> = {
  name: "cancel",
  summary: "cancel a call",
  description:
    "Cancels what is not finished of a call: what waits ends at once, and containers are asked to stop what they run.",
  operands: [callId],
  options: [new Option("--end-containers", "end the containers that run its inputs as well"), dataOption()],
  examples: [{ line: "lydian call cancel fc-00VbtB4oEOs9IStIQaI31W", effect: "one call" }],
  run: async (options, terminal, [id = ""]) => {
    using client = await connect(options, terminal.env);
    await client.ask(methods.cancelCall, { callId: id, endContainers: options.endContainers === true });
    terminal.print(`${id} is cancelled.`);
    return exitStatus.ok;
  },
};

const retry: CliCommand<CommonOptions> = {
  name: "retry",
  summary: "run again what failed of a call",
  description:
    "Runs the inputs of a finished call that failed once more, as a new call. The old call's results stay as they are.",
  operands: [callId],
  options: [dataOption()],
  examples: [{ line: "lydian call retry fc-00VbtB4oEOs9IStIQaI31W", effect: "prints the new call's id" }],
  run: async (options, terminal, [id = ""]) => {
    using client = await connect(options, terminal.env);
    const reply = await client.ask(methods.retryCall, { callId: id });
    terminal.print(`${reply.callId} runs ${reply.inputs} ${reply.inputs === 1 ? "input" : "inputs"} again.`);
    return exitStatus.ok;
  },
};

export const call: CommandGroup = {
  name: "call",
  summary: "look at calls, cancel them, run them again",
  description: "What happens to calls of functions, across all apps of a platform.",
  commands: [list, inspect, cancel, retry],
};

function printJson(terminal: Terminal, value: unknown): number {
  terminal.print(JSON.stringify(value, undefined, 2));
  return exitStatus.ok;
}

function callColumns(terminal: Terminal): Column<operator.CallSummary>[] {
  const colours = { open: "yellow", succeeded: "green", failed: "red" } as const;
  const stateOf = ({ state }: operator.CallSummary): keyof typeof states =>
    (Object.keys(states) as (keyof typeof states)[]).find((name) => states[name] === state) ?? "open";
  return [
    { title: "CALL", text: ({ callId: id }) => id },
    { title: "APP", text: ({ appName }) => appName },
    { title: "FUNCTION", text: ({ functionName }) => functionName },
    { title: "STATE", text: stateOf, paint: (text, row) => terminal.paint(colours[stateOf(row)], text) },
    { title: "INPUTS", text: ({ inputs }) => String(inputs), right: true },
    { title: "OPEN", text: ({ unfinished }) => String(unfinished), right: true },
    { title: "FAILED", text: ({ failed }) => String(failed), right: true },
    { title: "CREATED", text: ({ createdAtMs }) => timeOf(createdAtMs) },
    { title: "TOOK", text: ({ createdAtMs, finishedAtMs }) => durationOf(createdAtMs, finishedAtMs), right: true },
  ];
}

function inputColumns(terminal: Terminal): Column<operator.InputSummary>[] {
  const good = new Set(["success", "queued", "claimed", "delayed"]);
  return [
    { title: "#", text: ({ index }) => String(index), right: true },
    { title: "INPUT", text: ({ inputId }) => inputId },
    {
      title: "STATE",
      text: ({ state }) => state,
      paint: (text, { state }) => (good.has(state) ? text : terminal.paint("red", text)),
    },
    { title: "TRIES", text: ({ attempts }) => String(attempts), right: true },
    { title: "CONTAINER", text: ({ containerId }) => containerId },
    { title: "TOOK", text: ({ startedAtMs, finishedAtMs }) => durationOf(startedAtMs, finishedAtMs), right: true },
    { title: "ERROR", text: ({ error }) => firstLine(error) },
  ];
}

function durationOf(from: bigint, to: bigint): string {
  if (from === 0n || to === 0n) return "";
  const ms = Number(to - from);
  return ms < 10_000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms / 1000)} s`;
}

function firstLine(text: string): string {
  const line = text.split("\n", 1)[0] ?? "";
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}
