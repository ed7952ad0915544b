/** The terminal that a client asks for: its size, and what programs are told of it. */
import type { PTYInfo } from "@lydian/contract";

/** Of clients that cannot say how large theirs is. */
const usualSize = { rows: 24, columns: 80 };

export interface AskedTerminal {
  terminal: { rows: number; columns: number };
  env: Record<string, string>;
}

/** Undefined when none is asked for. */
export function terminalOf(info: PTYInfo | undefined): AskedTerminal | undefined {
  if (info === undefined || !(info.enabled || info.ptyType !== 0)) return undefined;
  const { winszRows, winszCols, envTerm, envColorterm, envTermProgram } = info;
  const named = { TERM: envTerm || "xterm", COLORTERM: envColorterm, TERM_PROGRAM: envTermProgram };
  return {
    terminal: { rows: winszRows || usualSize.rows, columns: winszCols || usualSize.columns },
    env: Object.fromEntries(Object.entries(named).filter(([, value]) => value !== "")),
  };
}
