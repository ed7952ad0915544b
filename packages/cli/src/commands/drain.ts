/** `lydian drain`: brings a platform to rest before its host goes down. */
import { operator } from "@lydian/contract";
import { Option } from "commander";

import { type CliCommand, exitStatus } from "../command.ts";
import { connect } from "../platform-client.ts";
import { countedOf } from "../words.ts";
import { dataOption, jsonOption, parseAge } from "./options.ts";

export interface DrainOptions {
  data?: string;
  within: number;
  undo?: boolean;
  json?: boolean;
}

const methods = operator.Operators.method;

export const drain: CliCommand<DrainOptions> = {
  name: "drain",
  summary: "bring the platform to rest, to restart its machine",
  description:
    "From here on no container begins. Those that idle end at once; those that run inputs finish them, and are killed when the " +
    "time is over. What waits stays in its queue, on disk, and so does what was broken off, which runs again. Says when " +
    "nothing is left. The rest ends with --undo, or when the platform is started again.",
  options: [
    new Option("--within <time>", "what inputs that run may take, such as 90s, 10m, 2h")
      .default(600_000, "10m")
      .argParser(parseAge),
    new Option("--undo", "let containers begin again"),
    jsonOption(),
    dataOption(),
  ],
  examples: [
    { line: "lydian drain && systemctl reboot", effect: "take the machine down when nothing runs" },
    { line: "lydian drain --within 30s", effect: "and break off what takes longer" },
    { line: "lydian drain --undo", effect: "go on as before" },
  ],
  run: async ({ within, undo = false, json = false, data }, terminal) => {
    using client = await connect(data === undefined ? {} : { data }, terminal.env);
    if (undo) {
      const { drained } = await client.ask(methods.endDrain, {});
      if (json) terminal.print(JSON.stringify({ drained: false, before: drained }));
      else terminal.print(drained ? "The platform goes on." : "The platform was not at rest.");
      return exitStatus.ok;
    }
    let left: operator.DrainResponse | undefined;
    for await (left of client.follow(methods.drain, { withinMs: BigInt(within) })) {
      const { containers, inputs, builds } = left;
      if (json) terminal.print(JSON.stringify({ containers, inputs, builds }));
      else if (containers + builds > 0) {
        const what = [
          countedOf(containers, "container"),
          `${countedOf(inputs, "input")} that ${inputs === 1 ? "runs" : "run"}`,
          ...(builds === 0 ? [] : [`${countedOf(builds, "image")} being built`]),
        ];
        terminal.report(terminal.paintReport("dim", `Left: ${what.join(", ")} …`));
      }
    }
    if (left === undefined || left.containers > 0) {
      terminal.report("The platform does not rest: the drain was undone, or containers do not end.");
      return exitStatus.error;
    }
    if (!json)
      terminal.print("The platform rests: its machine can be taken down. `lydian drain --undo` ends the rest.");
    return exitStatus.ok;
  },
};
