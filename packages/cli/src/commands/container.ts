/** `lydian container`: containers that there are, and the end of one. */
import { ModalClient, type TaskStats } from "@lydian/contract";
import { Argument, Option } from "commander";

import { type CliCommand, type CommandGroup, exitStatus } from "../command.ts";
import { type Column, tableOf } from "../table.ts";
import { timeOf } from "../words.ts";
import { connectTo, millis, type NamedOptions, namedOptions, printRows, yesOption } from "./named.ts";

const list: CliCommand<NamedOptions & { app?: string }> = {
  name: "list",
  summary: "list containers",
  description: "Lists the containers of an environment that there are now. `lydian shell ta-…` opens a shell in one.",
  options: [new Option("--app <app>", "only of this app, by its id"), ...namedOptions()],
  examples: [{ line: "lydian container list", effect: "their ids and whose they are" }],
  run: async ({ app = "", ...options }, terminal) => {
    using client = await connectTo(options, terminal);
    const request = { environmentName: options.env ?? "", appId: app };
    const { tasks } = await client.ask(ModalClient.method.taskList, request);
    if (options.json === true) {
      const rows = tasks.map(({ taskId: id, appId, appDescription, startedAt }) => {
        return {
          id,
          appId,
          app: appDescription,
          startedAt: startedAt === 0 ? null : new Date(startedAt * 1000).toISOString(),
        };
      });
      return printRows(terminal, rows);
    }
    const columns: Column<TaskStats>[] = [
      { title: "CONTAINER", text: ({ taskId }) => taskId },
      { title: "APP", text: ({ appId }) => appId },
      { title: "NAME", text: ({ appDescription }) => appDescription },
      { title: "STARTED", text: ({ startedAt }) => (startedAt === 0 ? "" : timeOf(millis(startedAt))) },
    ];
    if (tasks.length === 0) terminal.print("There are no containers.");
    else terminal.print(tableOf(tasks, columns, (title) => terminal.paint("dim", title)));
    return exitStatus.ok;
  },
};

const stop: CliCommand<NamedOptions & { yes?: boolean; graceful?: boolean }> = {
  name: "stop",
  summary: "end a container",
  description: "Ends a container. What it has not finished is done by another one.",
  operands: [new Argument("<container>", "such as ta-…")],
  options: [new Option("--graceful", "let it finish what it runs"), yesOption(), ...namedOptions()],
  examples: [{ line: "lydian container stop ta-01ABC --graceful", effect: "when it has finished" }],
  run: async (options, terminal, [taskId = ""]) => {
    using client = await connectTo(options, terminal);
    const asks = options.yes !== true && terminal.interactive;
    if (asks && !(await terminal.confirm(`End ${taskId}?`))) return exitStatus.error;
    await client.ask(ModalClient.method.containerStop, { taskId, graceful: options.graceful === true });
    terminal.print(options.json === true ? JSON.stringify({ id: taskId, stopped: true }) : `${taskId} is told to end.`);
    return exitStatus.ok;
  },
};

export const container: CommandGroup = {
  name: "container",
  summary: "containers that there are",
  description:
    "Containers: listed and ended. `lydian shell ta-…` opens a shell in one, `lydian logs APP --container ta-…` shows what it prints.",
  commands: [list, stop],
};
