/** `lydian completion`: prints what makes a shell complete the command. */
import { Argument } from "commander";

import { type CliCommand, type CommandGroup, exitStatus } from "../command.ts";
import { completionScript, type Shell, shells } from "../completion.ts";

/** `all` is asked for when it runs: this command is one of them. */
export const completion = (all: () => Promise<readonly (CliCommand | CommandGroup)[]>): CliCommand => ({
  name: "completion",
  summary: "print a script for the shell's completion",
  description: "Prints a script that makes a shell complete commands and options of lydian.",
  operands: [new Argument("<shell>", "which one").choices(shells)],
  options: [],
  examples: [
    { line: 'eval "$(lydian completion bash)"', effect: "in ~/.bashrc; likewise zsh in ~/.zshrc" },
    { line: "lydian completion fish > ~/.config/fish/completions/lydian.fish", effect: "for fish" },
  ],
  run: async (_options, terminal, [shell = ""]) => {
    terminal.write(completionScript(shell as Shell, await all()));
    return exitStatus.ok;
  },
});
