/** Builds the parser from the commands, runs the one that was asked for, and turns what it throws into an exit status. */
import { readFileSync } from "node:fs";

import { Command, CommanderError } from "commander";

import { type CliCommand, type CommandGroup, UsageError, exitStatus } from "./command.ts";
import { commandsFor } from "./commands.ts";
import { reportError } from "./report-error.ts";
import type { Terminal } from "./terminal.ts";

/** Runs `lydian` with the arguments after its name; answers the exit status and never throws. */
export async function runProgram(
  args: readonly string[],
  terminal: Terminal,
  given?: readonly (CliCommand | CommandGroup)[],
): Promise<number> {
  const commands = given ?? (await commandsFor(args));
  let outcome: number = exitStatus.ok;
  const program = buildProgram(terminal);
  const add = (parent: Command, path: string, command: CliCommand): void =>
    addCommand(parent, path, command, async (options, operands) => {
      outcome = await command.run(options, terminal, operands);
    });
  for (const entry of commands) {
    if (!("commands" in entry)) {
      add(program, entry.name, entry);
      continue;
    }
    const group = program.command(entry.name).summary(entry.summary).description(entry.description);
    for (const command of entry.commands) add(group, `${entry.name} ${command.name}`, command);
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return outcome;
  } catch (error) {
    return statusOf(error, terminal);
  }
}

function buildProgram(terminal: Terminal): Command {
  return new Command("lydian")
    .description("A serverless platform on your own machines, for the public Modal clients.")
    .version(ownVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .configureHelp({ subcommandTerm: (command) => command.name() }) // so that each has one line
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.report(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error: /, `${terminal.paintReport("red", "Error:")} `)),
    })
    .addHelpText(
      "after",
      examplesText([
        { line: "lydian up", effect: "start the platform on this machine" },
        { line: "lydian setup", effect: "make the Modal clients of this user talk to it" },
        { line: "modal run app.py", effect: "run an app on it" },
        { line: "lydian run app.ts", effect: "run one that is written in TypeScript" },
      ]),
    );
}

function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return (manifest as { version: string }).version;
}

function addCommand(
  parent: Command,
  path: string,
  command: CliCommand,
  action: (options: object, operands: string[]) => Promise<void>,
): void {
  const parser = parent
    .command(command.name)
    .summary(command.summary)
    .description(command.description)
    .addHelpText("after", examplesText(command.examples))
    .showHelpAfterError(`(lydian ${path} --help shows all options)`)
    .action((...given: unknown[]) =>
      action(
        parser.opts(),
        given.flat().filter((value) => typeof value === "string"),
      ),
    );
  if (command.passesOn === true) parser.passThroughOptions().allowUnknownOption();
  for (const operand of command.operands ?? []) parser.addArgument(operand);
  for (const option of command.options) parser.addOption(option);
}

function examplesText(examples: CliCommand["examples"]): string {
  const width = Math.max(...examples.map(({ line }) => line.length));
  return `\nExamples:\n${examples.map(({ line, effect }) => `  ${line.padEnd(width)}  ${effect}`).join("\n")}`;
}

function statusOf(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.ok : exitStatus.usage; // said already
  reportError(error, terminal);
  return error instanceof UsageError ? exitStatus.usage : exitStatus.error;
}
