/** `lydian stop`: ends an app. */
import { ModalClient } from "@lydian/contract";
import { Argument, Option } from "commander";

import { type CliCommand, exitStatus } from "../command.ts";
import { findApp } from "../find-app.ts";
import { connect } from "../platform-client.ts";
import { dataOption, jsonOption } from "./options.ts";

export interface StopOptions {
  data?: string;
  env?: string;
  yes?: boolean;
  json?: boolean;
}

export const stop: CliCommand<StopOptions> = {
  name: "stop",
  summary: "stop an app",
  description:
    "Stops an app: its calls end, its containers go, and a deployed one can no longer be called by its name. Its log is kept.",
  operands: [new Argument("<app>", "its name or id")],
  options: [
    new Option("--env <environment>", "only in this environment"),
    new Option("-y, --yes", "do not ask"),
    jsonOption(),
    dataOption(),
  ],
  examples: [
    { line: "lydian stop reports", effect: "the app of this name" },
    { line: "lydian stop reports --yes", effect: "in scripts" },
  ],
  run: async ({ env = "", yes = false, json = false, data }, terminal, [app = ""]) => {
    using client = await connect(data === undefined ? {} : { data }, terminal.env);
    const { appId, name, isOver } = await findApp(client, app, env);
    if (!isOver && !yes && terminal.interactive && !(await terminal.confirm(`Stop ${name} (${appId})?`))) {
      return exitStatus.error;
    }
    if (!isOver) await client.ask(ModalClient.method.appStop, { appId });
    if (json) terminal.print(JSON.stringify({ appId, name, stopped: !isOver }));
    else terminal.print(isOver ? `${name} had stopped already.` : `${name} (${appId}) is stopped.`);
    return exitStatus.ok;
  },
};
