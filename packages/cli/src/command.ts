/** What a command of `lydian` is: data, from which program.ts builds the parser and the help. */
import { PlatformError } from "@lydian/kit";
import type { Argument, Option } from "commander";

import type { Terminal } from "./terminal.ts";

/** What the shell sees. */
export const exitStatus = { ok: 0, error: 1, usage: 2 } as const;

/** The command line itself is wrong, in a way that the parser cannot see: exit status 2. */
export class UsageError extends PlatformError {}

export interface CommandExample {
  readonly line: string;
  /** What the line does, in a few words. */
  readonly effect: string;
}

/** `Options` is what the parser makes of `options`: camel case names, values as their parsers return them. */
export interface CliCommand<Options extends object = object> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** Sentences for the command's own help. */
  readonly description: string;
  readonly options: readonly Option[];
  /** What follows the command's name without a dash; `run` is given them in this order. */
  readonly operands?: readonly Argument[];
  /** What follows the first operand is not read: options, too, are the command's operands. */
  readonly passesOn?: true;
  /** Shown at the end of the help. */
  readonly examples: readonly CommandExample[];
  /** Answers the exit status. (A method and not a property: so one list can hold commands with different options.) */
  run(options: Options, terminal: Terminal, operands: readonly string[]): Promise<number>;
}

/** Commands under one name: `lydian call list`. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly commands: readonly CliCommand[];
}
