/** `lydian` with stand-ins for server and worker: a real process for tests of `up`. */
import { fileURLToPath } from "node:url";

import { upCommand } from "../src/commands/up.ts";
import { runProgram } from "../src/program.ts";
import { Terminal } from "../src/terminal.ts";

const fake = fileURLToPath(import.meta.resolve("./fake-child.ts"));
const commands = [upCommand({ server: fake, worker: fake })];
process.exitCode = await runProgram(process.argv.slice(2), new Terminal(), commands);
