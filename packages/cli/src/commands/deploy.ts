/** `lydian deploy`: puts an app that is written in TypeScript under its name. */
import { resolve } from "node:path";

import { Argument, Option } from "commander";
import type { Deployment } from "lydian";

import { type CliCommand, exitStatus } from "../command.ts";
import { publishReport } from "../publish-report.ts";
import type { Terminal } from "../terminal.ts";

interface DeployOptions {
  name?: string;
  env?: string;
  dryRun?: boolean;
  quiet?: boolean;
}

export const deploy: CliCommand<DeployOptions> = {
  name: "deploy",
  summary: "deploy an app that is written in TypeScript",
  description:
    "Puts the functions that a file exports on the platform, under the app's name and in the place of what was deployed " +
    "under it before. They stay there and can be called by their names, from any language.",
  operands: [new Argument("<file>", "such as hello.ts")],
  options: [
    new Option("--name <name>", "another name than the app's own"),
    new Option("-e, --env <environment>", "where it goes").env("MODAL_ENVIRONMENT"),
    new Option("--dry-run", "only list the functions and every file that would be sent"),
    new Option("-q, --quiet", "print nothing but warnings and errors"),
  ],
  examples: [{ line: "lydian deploy hello.ts", effect: "what it exports" }],
  run: async ({ name, env: environment, dryRun = false, quiet = false }, terminal, [path = ""]) => {
    const { appOf, deployApp, loadProgram, planOf } = await import("lydian/publish");
    const { exports, graph } = await loadProgram(resolve(path));
    const app = appOf(exports, path);
    const plan = await planOf(app, graph);
    if (dryRun) {
      for (const definition of plan.definitions) terminal.print(`function ${definition.name}`);
      for (const { remote } of plan.files) terminal.print(`file ${remote}`);
      if (plan.packages !== undefined) terminal.print(`layer ${plan.packages.what}`);
      return exitStatus.ok;
    }
    const observer = publishReport(terminal, quiet);
    const options = {
      observer,
      ...(name !== undefined && { name }),
      ...(environment !== undefined && { environment }),
    };
    const deployment = await deployApp(app, options, plan);
    if (!quiet) report(deployment, terminal);
    return exitStatus.ok;
  },
};

function report({ name, url, webUrls, added, changed, removed }: Deployment, terminal: Terminal): void {
  const lines = [
    ...added.map((each) => `  ${terminal.paint("green", "+")} ${each}`),
    ...changed.map((each) => `  ${terminal.paint("dim", "~")} ${each}`),
    ...removed.map((each) => `  ${terminal.paint("red", "-")} ${each}`),
  ];
  terminal.print(`Deployed ${name}`);
  for (const line of lines) terminal.print(line);
  for (const [each, address] of webUrls) terminal.print(`${each} answers at ${address}`);
  terminal.print(`View it at ${url}`);
}
