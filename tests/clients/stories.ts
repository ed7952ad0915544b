/** What the stories share: where their apps lie, and how a function is let go on that waits for its test. */
import assert from "node:assert/strict";
import { unlink } from "node:fs/promises";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";
import { type FunctionProcess, type Platform, type ProgramOptions, python, until } from "@lydian/testkit";

/** `app("values.py::types")` */
export function app(name: string): string {
  return join(import.meta.dirname, "apps", name);
}

/**
 * Runs commands of the client one after the other; answers each one's exit status and output, in one line where it is an
 * error in a box. `-c` is Python to run in between.
 */
export async function runCommands(
  platform: Platform,
  version: string,
  commands: readonly (readonly string[])[],
  options?: ProgramOptions,
): Promise<[code: number, output: string][]> {
  await using program = python(platform, version, [app("commands.py"), JSON.stringify(commands)], options);
  await program.finishWith(0);
  const ends = JSON.parse(program.stdout) as [number, string][];
  return ends.map(([code, output]) => [code, code === 0 ? output.trim() : output.replaceAll(/[\s│]+/g, " ")]);
}

/** The same for commands with names, which say what has become of each. */
export async function outcomesOf(
  platform: Platform,
  version: string,
  does: Readonly<Record<string, readonly string[]>>,
  options?: ProgramOptions,
): Promise<{ said(what: string): string; refused(what: string, words: RegExp): void }> {
  const ends = await runCommands(platform, version, Object.values(does), options);
  const outcome = (what: string): [code: number, output: string] =>
    ends[Object.keys(does).indexOf(what)] ?? assert.fail(`there is no command "${what}"`);
  return {
    said: (what) => {
      const [code, output] = outcome(what);
      assert.equal(code, 0, `${what}: ${output}`);
      return output;
    },
    refused: (what, words) => {
      const [code, output] = outcome(what);
      assert.notEqual(code, 0, `${what}: ${output}`);
      assert.match(output, words, what);
    },
  };
}

/** The only one that runs. */
export function theFunction(platform: Platform): FunctionProcess {
  const [running, ...others] = platform.functions();
  assert.ok(running, platform.describe("no function runs"));
  assert.deepEqual(others, []);
  return running;
}

/** The one that runs in this container. */
export function functionIn(platform: Platform, id: string | undefined): FunctionProcess {
  const found = platform.functions().find(({ containerId }) => containerId === id);
  return found ?? assert.fail(platform.describe(`no function runs in ${id}`));
}

/** Takes away the file that apps/signs.py makes, as soon as it is there; the host sees into the container. */
export async function goOn({ pid, containerId }: FunctionProcess): Promise<void> {
  const taken = async (): Promise<boolean> => {
    try {
      await unlink(`/proc/${pid}/cwd/waits`);
      return true;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return false;
      throw error;
    }
  };
  await until(30_000, taken, () => `the function in ${containerId} does not wait, or has ended`);
}
