/** What the stories share: where their apps lie, and how a function is let go on that waits for its test. */
import assert from "node:assert/strict";
import { unlink } from "node:fs/promises";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";
import { type FunctionProcess, type Platform, until } from "@lydian/testkit";

/** `app("values.py::types")` */
export function app(name: string): string {
  return join(import.meta.dirname, "apps", name);
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
