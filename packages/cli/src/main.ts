#!/usr/bin/env node
/** The `lydian` command. */
import { hasCode } from "@lydian/kit";

import { runProgram } from "./program.ts";
import { Terminal } from "./terminal.ts";

// `lydian up | head -1`: that nobody reads on is no reason to end a platform.
process.stdout.on("error", (error) => {
  if (!hasCode(error, "EPIPE")) throw error;
});

process.exitCode = await runProgram(process.argv.slice(2), new Terminal());
