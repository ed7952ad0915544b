/** `lydian schedule`: which functions are called by themselves, and when; calls one of them now. */
import { toJson } from "@bufbuild/protobuf";
import { operator } from "@lydian/contract";
import { Argument, Option } from "commander";

import { type CliCommand, type CommandGroup, UsageError, exitStatus } from "../command.ts";
import { connect } from "../platform-client.ts";
import { type Column, tableOf } from "../table.ts";
import { zonedTimeOf } from "../words.ts";
import { dataOption, jsonOption } from "./options.ts";

const methods = operator.Operators.method;

interface Options {
  data?: string;
  env?: string;
  json?: boolean;
}

const list: CliCommand<Options & { app?: string }> = {
  name: "list",
  summary: "list schedules, the next run first",
  description:
    "Lists the functions of deployed apps that have a schedule, with their next run and the call of the one before.",
  options: [
    new Option("--app <app>", "only of this app: its name or id"),
    new Option("--env <environment>", "only of this environment"),
    jsonOption(),
    dataOption(),
  ],
  examples: [{ line: "lydian schedule list", effect: "what runs next" }],
  run: async (options, terminal) => {
    using client = await connect(options, terminal.env);
    const reply = await client.ask(methods.listSchedules, {
      app: options.app ?? "",
      environment: options.env ?? "",
    });
    if (options.json) {
      terminal.print(JSON.stringify(toJson(operator.ListSchedulesResponseSchema, reply), undefined, 2));
    } else if (reply.schedules.length === 0) terminal.print("No schedules.");
    else terminal.print(tableOf(reply.schedules, columns, (title) => terminal.paint("dim", title)));
    return exitStatus.ok;
  },
};

const run: CliCommand<Options> = {
  name: "run",
  summary: "call a function that has a schedule now",
  description: "Calls a function that has a schedule, as its schedule would. When it runs next stays what it was.",
  operands: [new Argument("<app::function>", "the app's name or id, and the function's name")],
  options: [new Option("--env <environment>", "the app's environment (default: main)"), jsonOption(), dataOption()],
  examples: [{ line: "lydian schedule run reports::nightly", effect: "prints the call's id" }],
  run: async (options, terminal, [ref = ""]) => {
    const [, app, name] = /^(.+)::([^:]+)$/.exec(ref) ?? [];
    if (app === undefined || name === undefined) {
      throw new UsageError(`"${ref}" names no function`, { hint: "write APP::FUNCTION, as in reports::nightly" });
    }
    using client = await connect(options, terminal.env);
    const reply = await client.ask(methods.runSchedule, { app, function: name, environment: options.env ?? "" });
    if (options.json) terminal.print(JSON.stringify({ callId: reply.callId }));
    else terminal.print(`${reply.callId} is queued; \`lydian call inspect ${reply.callId}\` shows how it goes.`);
    return exitStatus.ok;
  },
};

export const schedule: CommandGroup = {
  name: "schedule",
  summary: "see which functions run by themselves, and run one now",
  description: "Functions that have a schedule, across all deployed apps of a platform.",
  commands: [list, run],
};

const lastStates: Partial<Record<operator.CallState, string>> = {
  [operator.CallState.OPEN]: "open",
  [operator.CallState.SUCCEEDED]: "succeeded",
  [operator.CallState.FAILED]: "failed",
};

const columns: Column<operator.ScheduleSummary>[] = [
  { title: "APP", text: ({ appName }) => appName },
  { title: "FUNCTION", text: ({ functionName }) => functionName },
  { title: "ENVIRONMENT", text: ({ environment }) => environment },
  { title: "RUNS", text: ({ rule }) => rule },
  { title: "NEXT", text: ({ nextAtMs }) => zonedTimeOf(nextAtMs) },
  { title: "LAST", text: ({ lastAtMs }) => (lastAtMs === 0n ? "" : zonedTimeOf(lastAtMs)) },
  { title: "CALL", text: ({ lastCallId }) => lastCallId },
  { title: "STATE", text: ({ lastState }) => lastStates[lastState] ?? "" },
];
