/** How every command says what went wrong. */
import { PlatformError } from "@lydian/kit";

import type { Terminal } from "./terminal.ts";

/** Errors for people as a message and a hint; anything else is our own fault and comes with its stack. */
export function reportError(error: unknown, terminal: Terminal): void {
  if (error instanceof PlatformError) return reportFailure(error.message, error.hint, terminal);
  terminal.report(error instanceof Error ? (error.stack ?? error.message) : String(error));
  terminal.report("This is a fault of Lydian's own: please report it with the lines above.");
}

/** `below`: more of it, such as where it was thrown. */
export function reportFailure(text: string, hint: string | undefined, terminal: Terminal, below = ""): void {
  terminal.report(`${terminal.paintReport("red", "Error:")} ${text}`);
  if (below !== "") terminal.report(terminal.paintReport("dim", below));
  if (hint !== undefined) terminal.report(`${terminal.paintReport("cyan", "Hint:")} ${hint}`);
}
