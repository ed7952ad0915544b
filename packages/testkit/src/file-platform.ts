/** One platform for all tests of a file. */
import { after, afterEach, before } from "node:test";

import { Platform, type PlatformOptions } from "./platform.ts";
import { modal, newestClient } from "./python-client.ts";

const firstContainerMs = 300_000;

/** Starts it now and stops it after the last test; a test that fails is followed by the log of its time. */
export async function platformOfFile(options?: PlatformOptions): Promise<Platform> {
  const platform = await Platform.start(options);
  // The first container of a machine waits for its image and for the client's package: minutes that are no test's.
  let first: Promise<void> | undefined;
  if (platform.runtime === "runc") before(() => (first = runOnce(platform)), { timeout: firstContainerMs });
  let shown = 0;
  afterEach((context) => {
    const fresh = platform.log.slice(shown);
    shown += fresh.length;
    if ("passed" in context && !context.passed) console.error(`The platform's log during "${context.name}":\n${fresh}`);
  });
  after(async () => {
    await first?.catch(() => {}); // told by the hook; where no test is chosen, the hooks do not wait for each other
    await platform[Symbol.asyncDispose]();
  });
  return platform;
}

async function runOnce(platform: Platform): Promise<void> {
  await using run = modal(platform, newestClient, ["run", "-q", "examples/python/hello.py"]);
  await run.finishWith(0, firstContainerMs);
}
